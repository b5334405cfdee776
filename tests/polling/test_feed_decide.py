"""What follows from a poll: no flood, no loss, every entry with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from feedlab import parsed
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.schema import FeedSource, PollingSettings
from monitor.identity import owner_of_feed
from monitor.model import Entry, FeedState
from monitor.net.response_headers import Hints
from monitor.parsing.document import ParsedFeed
from monitor.polling import entry_diff
from monitor.polling.entry_diff import texts_wanted
from monitor.polling.fetch_result import FetchResult
from monitor.polling.poll_decision import ADOPT_AFTER, PollDecision, decide, poll_url
from monitor.polling.seen_entries import SeenEntry
from monitor.reasons import EntryReason, FetchReason
from tests.support.examples import examples

NOW = 1_767_225_600.0
DAY = 86400.0
SETTINGS = PollingSettings()
SOURCE = FeedSource(id="paper", url="https://paper.example/feed", tags=("world",), language="en")


def entry(name: str, **fields: object) -> Entry:
    """Return an entry whose GUID, link and words all come from `name`."""
    base = Entry(
        guid=f"guid-{name}",
        title=f"Headline about {name}",
        link=f"https://paper.example/{name}",
        summary=f"A report of some length on {name}, filed this morning by our desk.",
        published=NOW - 3600,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


class DecidedFeed:
    """A feed that is polled again and again, its memory carried along."""

    def __init__(self, source: FeedSource = SOURCE, settings: PollingSettings = SETTINGS) -> None:
        self.source, self.settings = source, settings
        self.state = FeedState(feed_id=source.id, url="")
        self.seen: dict[str, SeenEntry] = {}
        self.handed: Counter[str] = Counter()

    def apply(self, outcome: FetchResult, now: float) -> PollDecision:
        decision = decide(self.source, self.state, self.seen, outcome, now, self.settings)
        again = decide(self.source, self.state, self.seen, outcome, now, self.settings)
        assert again == decision  # pure
        self.state = decision.state
        self.seen.update(decision.seen)
        for key in decision.dropped:
            del self.seen[key]
        self.seen = {k: SeenEntry.decode(v.encode()) for k, v in self.seen.items()}
        self.handed.update(story.id for story in decision.stories)
        assert sum(decision.counts.values()) == len(
            outcome.parsed.entries if outcome.parsed else ()
        )
        return decision

    def poll(self, *entries: Entry, now: float = NOW, **feed: object) -> PollDecision:
        whole, wanted = (
            ParsedFeed(version="rss20", entries=found, title="The Paper", **feed)  # type: ignore[arg-type]
            for found in (
                tuple(parsed(item) for item in entries),
                tuple(parsed(item, texts_wanted(self.state, self.seen, now)) for item in entries),
            )
        )
        outcome = FetchResult(FetchReason.OK, status=200, parsed=wanted, etag='"1"')
        all_texts = replace(outcome, parsed=whole)
        # No text is missing that a story needs.
        before = self.source, self.state, self.seen
        assert decide(*before, all_texts, now, self.settings) == decide(
            *before, outcome, now, self.settings
        )
        return self.apply(outcome, now)

    def fail(self, reason: FetchReason, now: float = NOW, **fields: object) -> PollDecision:
        return self.apply(FetchResult(reason, "it failed", **fields), now)  # type: ignore[arg-type]


def started(*entries: Entry) -> DecidedFeed:
    """Return a feed past its baseline, which held `entries`."""
    feed = DecidedFeed()
    feed.poll(*entries)
    return feed


def test_first_sight_is_a_silent_baseline() -> None:
    """All is remembered; only the newest few of the last two days are handed over, silently."""
    entries = [entry(str(n), published=NOW - n * 3600) for n in range(100)]
    decision = DecidedFeed().poll(*entries)
    assert decision.counts == {EntryReason.BASELINE: 100}
    assert len(decision.seen) == 100
    assert len(decision.stories) == SETTINGS.baseline_stories
    assert all(story.baseline for story in decision.stories)
    assert decision.stories[-1].title == "Headline about 0"
    old = DecidedFeed().poll(
        entry("old", published=NOW - 3 * DAY), entry("undated", published=None)
    )
    assert old.stories == ()


def test_who_answers_for_a_story_is_never_what_it_links_to() -> None:
    """One feed with links to three agencies posed as "3 independent sources"."""
    feed = started(entry("a"))
    links = ("https://www.reuters.com/k-1", "https://www.bbc.co.uk/news/k-2", "https://ap.org/k-3")
    stories = feed.poll(*(entry(link, link=link) for link in links)).stories
    assert {story.owner for story in stories} == {"paper.example"}


@pytest.mark.parametrize(
    ("url", "owner", "found"),
    [
        ("https://feeds.paper.co.uk/rss", "", "paper.co.uk"),
        ("https://feeds.paper.co.uk/rss", "Lane Family", "Lane Family"),
        ("https://feeds.feedburner.com/paper", "", "mine"),
        ("https://one.github.io/feed.xml", "", "one.github.io"),
        ("http://10.0.0.7:1200/paper", "", "mine"),
        ("http://[fd00::7]/paper", "", "mine"),
        ("http://rsshub:1200/paper", "", "mine"),
    ],
)
def test_a_feed_answers_for_its_site_or_for_itself(url: str, owner: str, found: str) -> None:
    """Two feeds that come through one bridge are two sources; one feed is never more than one."""
    assert owner_of_feed("mine", url, owner) == found


def test_a_new_entry_is_handed_over_once() -> None:
    """It becomes a story with all that is known of it, and is then known."""
    feed = started(entry("a"))
    decision = feed.poll(entry("b", author="A. Writer", content="Long text."), entry("a"))
    (story,) = decision.stories
    assert (story.title, story.feed_id, story.source) == ("Headline about b", "paper", "The Paper")
    assert (story.tags, story.language, story.owner) == (("world",), "en", "paper.example")
    assert (story.body, story.author, story.baseline, story.stale) == (
        "Long text.", "A. Writer", False, False,
    )  # fmt: skip
    assert (story.published, story.seen_at) == (NOW - 3600, NOW)
    assert feed.poll(entry("b", author="A. Writer", content="Long text."), entry("a")).stories == ()


def test_words_swapped_between_entries_are_no_news() -> None:
    """An entry that now says what another one said brings nothing that was not handed over."""
    feed = started(entry("a"))
    feed.poll(entry("a"), entry("b"), entry("c"))
    swapped = entry("c"), replace(entry("b"), guid="guid-c"), replace(entry("c"), guid="guid-b")
    decision = feed.poll(entry("a"), *swapped[1:])
    assert decision.stories == ()
    assert decision.counts[EntryReason.REWRITTEN] == 2


def test_contents_hashed_by_an_older_rule_are_taken_over_in_silence() -> None:
    """After an upgrade of the hash, entries we know make no revisions, and edits do again."""
    feed = started(entry("a"), entry("b"))
    feed.seen = {key: replace(record, hashes=("1abc",)) for key, record in feed.seen.items()}
    decision = feed.poll(entry("a"), entry("b"))
    assert (decision.stories, decision.counts) == ((), {EntryReason.SEEN: 2})
    (revision,) = feed.poll(entry("a"), entry("b", title="Another headline")).stories
    assert revision.title == "Another headline"


def test_an_edit_is_a_revision_of_the_same_story() -> None:
    """Edited title or text: one revision that names the original; the same edit again: nothing."""
    feed = started(entry("a"))
    (original,) = feed.poll(entry("b")).stories
    decision = feed.poll(entry("b", title="Headline about b, corrected"))
    (revision,) = decision.stories
    assert revision.revises == original.id != revision.id
    assert decision.counts == {EntryReason.REVISED: 1}
    assert feed.poll(entry("b", title="Headline about b, corrected")).stories == ()
    (third,) = feed.poll(entry("b", summary="12 now reported dead.")).stories
    assert third.revises == original.id
    assert third.id != revision.id


def test_typography_is_no_edit() -> None:
    """Case, spacing, punctuation and quotes may change without telling anyone."""
    feed = started(entry("a"))
    feed.poll(entry("b", title="Mayor: it's over"))
    assert feed.poll(entry("b", title="MAYOR: It’s  over.")).counts == {EntryReason.SEEN: 1}


def test_two_versions_in_turn_do_not_revise_for_ever() -> None:
    """A publisher whose servers disagree revises once for each version."""
    feed = started()
    versions = [entry("b"), entry("b", summary="Other words.")]
    for at in range(10):
        feed.poll(versions[at % 2])
    assert sum(feed.handed.values()) == 2


def test_changed_dates_change_nothing() -> None:
    """An entry stamped anew with every poll stays the entry it was."""
    feed = started(entry("a"))
    feed.poll(entry("b"))
    decision = feed.poll(entry("b", published=NOW + 60, updated=NOW + 60), now=NOW + 60)
    assert decision.counts == {EntryReason.SEEN: 1}


@pytest.mark.parametrize(
    "change",
    [
        {"guid": "other"},
        {"guid": ""},
        {"link": "https://paper.example/moved"},
        {"guid": "other", "link": "https://new.example/b"},
        {"guid": "other", "published": NOW},
        {"guid": "other", "link": "https://new.example/b", "published": NOW},
    ],
)
def test_rewritten_identifiers_are_recognised(change: dict[str, object]) -> None:
    """A new GUID, link or date, one or all of them, over known words is no news."""
    feed = started(entry("a"), entry("b"))
    changed = [
        entry(name, **{key: f"{value}{name}" if value and key != "published" else value
                       for key, value in change.items()})
        for name in "ab"
    ]  # fmt: skip
    decision = feed.poll(*changed)
    assert decision.stories == ()
    assert decision.counts == {EntryReason.REWRITTEN: 2}
    assert feed.poll(*changed).counts == {EntryReason.SEEN: 2}


def test_a_guid_that_changes_with_each_edit_is_followed_by_its_link() -> None:
    """Where "…#0" becomes "…#1" on every edit, the edit is a revision, not a new story."""
    feed = started(entry("a"))
    (original,) = feed.poll(entry("b", guid="https://paper.example/b#0")).stories
    edited = entry("b", guid="https://paper.example/b#1", title="Headline about b, with a toll")
    (revision,) = feed.poll(edited).stories
    assert revision.revises == original.id


def test_entries_that_share_a_link_stay_apart() -> None:
    """A live page to which many entries lead loses none of them."""
    live = "https://paper.example/live"
    feed = started(entry("a", link=live), entry("b", link=live))
    decision = feed.poll(*(entry(name, link=live) for name in "abcd"))
    assert decision.counts == {EntryReason.SEEN: 2, EntryReason.NEW: 2}


def test_one_guid_for_all_loses_none() -> None:
    """A feed that gives every entry the same GUID is told apart by link."""
    feed = started(entry("a", guid="x"), entry("b", guid="x"))
    assert len(feed.poll(*(entry(name, guid="x") for name in "abc")).stories) == 1


def test_entries_without_guid_or_link_are_known_by_their_words() -> None:
    """The barest entries are handed over once as well."""
    feed = started(entry("a"))
    bare = entry("b", guid="", link="")
    assert len(feed.poll(bare).stories) == 1
    assert feed.poll(bare).stories == ()


def test_a_reissued_archive_is_stale_not_news() -> None:
    """Hundreds of old entries at once: all remembered, a few handed over as stale, no flood."""
    feed = started(entry("a"))
    archive = [entry(f"old{n}", published=NOW - (8 + n) * DAY) for n in range(300)]
    decision = feed.poll(*archive, entry("fresh"))
    assert decision.counts == {EntryReason.STALE: 300, EntryReason.NEW: 1}
    assert sum(not story.stale for story in decision.stories) == 1
    assert sum(story.stale for story in decision.stories) == SETTINGS.baseline_stories
    assert len(decision.seen) == 301


def test_a_reissued_archive_without_dates_is_stale() -> None:
    """A whole page of undated strangers is an archive; a few undated entries are news."""
    feed = started(entry("a"))
    decision = feed.poll(*(entry(f"u{n}", published=None) for n in range(50)))
    assert decision.counts == {EntryReason.STALE: 50}
    few = started(entry("a")).poll(*(entry(f"u{n}", published=None) for n in range(3)))
    assert few.counts == {EntryReason.UNDATED: 3}
    assert not any(story.stale for story in few.stories)


def test_an_undated_item_among_dated_ones_is_not_told() -> None:
    """Where the others have dates, one without is recorded as old, edits of it too."""
    dated = [entry(str(n)) for n in range(5)]
    feed = started(*dated)
    decision = feed.poll(*dated, entry("pinned", published=None))
    assert decision.counts == {EntryReason.SEEN: 5, EntryReason.UNDATED_AMONG_DATED: 1}
    assert [story.stale for story in decision.stories] == [True]
    edited = entry("pinned", published=None, summary="Another report, of some length as well.")
    assert [story.stale for story in feed.poll(*dated, edited).stories] == [True]


def test_a_feed_may_say_that_undated_items_are_news() -> None:
    """`undated: news` tells them as before; so does a feed that dates few of its items."""
    dated = [entry(str(n)) for n in range(5)]
    feed = started(*dated)
    feed.source = SOURCE.model_copy(update={"undated": "news"})
    decision = feed.poll(*dated, entry("x", published=None))
    assert decision.counts[EntryReason.UNDATED] == 1
    assert not decision.stories[0].stale
    few = started(entry("0")).poll(entry("0"), entry("x", published=None))
    assert few.counts[EntryReason.UNDATED] == 1


def test_after_an_outage_everything_recent_is_handed_over() -> None:
    """A page full of dated strangers, all recent, is a gap, and nothing of it is lost."""
    feed = started(entry("a"))
    decision = feed.poll(*(entry(f"n{n}", published=NOW - n * 600) for n in range(200)))
    assert decision.counts == {EntryReason.NEW: 200}
    assert len(decision.stories) == 200


def test_future_and_impossible_dates_are_replaced_by_ours() -> None:
    """Handed over with the time of the poll, counted by name."""
    feed = started(entry("a"))
    decision = feed.poll(
        entry("f", published=NOW + 40 * DAY), entry("z", published=0.0), entry("u", published=None)
    )
    assert decision.counts == {EntryReason.FUTURE: 1, EntryReason.UNDATED: 2}
    assert all(story.published == NOW for story in decision.stories)


def test_empty_entries_are_counted_and_passed_over() -> None:
    """Neither title nor text: nothing to tell."""
    feed = started(entry("a"))
    decision = feed.poll(entry("e", title="", summary="", content=""))
    assert decision.counts == {EntryReason.EMPTY: 1}
    assert decision.stories == ()


def test_a_new_address_is_a_new_silent_baseline() -> None:
    """Pointing a feed at another address floods nobody and keeps what is known."""
    feed = started(entry("a"))
    feed.source = SOURCE.model_copy(update={"url": "https://other.example/feed"})
    decision = feed.poll(entry("a"), entry("b"), entry("c"))
    assert decision.counts == {EntryReason.SEEN: 1, EntryReason.BASELINE: 2}
    assert feed.state.baselined


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries long gone from the document are forgotten; those in it never are."""
    monkeypatch.setattr(entry_diff, "MAX_SEEN", 300)
    feed = started(*(entry(str(n)) for n in range(10)))
    later = NOW + 100 * DAY
    feed.poll(entry("0"), now=later)
    assert len(feed.seen) == 1
    feed.poll(*(entry(f"x{n}", published=later) for n in range(350)), now=later)
    feed.poll(*(entry(f"y{n}", published=later) for n in range(50)), now=later)
    assert len(feed.seen) <= 300


def test_validators_are_kept_only_with_what_they_cover() -> None:
    """After a failure the old ones stay; a 304 may renew them; Expires: 0 discards them."""
    feed = started(entry("a"))
    assert feed.state.etag == '"1"'
    feed.fail(FetchReason.PARSE_FAILED, etag='"2"', body_hash="x")
    assert (feed.state.etag, feed.state.body_hash) == ('"1"', "")
    feed.fail(FetchReason.NOT_MODIFIED, etag='"3"')
    assert feed.state.etag == '"3"'
    feed.fail(FetchReason.NOT_MODIFIED)
    assert feed.state.etag == '"3"'
    feed.fail(FetchReason.UNCHANGED, etag='"4"', hints=Hints(ignore_validators=True))
    assert feed.state.etag == ""


def test_a_delta_answer_forgets_nothing() -> None:
    """226 IM Used brings new entries alone: absent ones stay known, and its hash is not kept."""
    feed = started(entry("a"))
    parsed = ParsedFeed(version="atom10", entries=(entry("b"),))
    feed.apply(FetchResult(FetchReason.OK, parsed=parsed, partial=True, body_hash="h"), NOW)
    assert feed.state.body_hash == ""
    assert feed.poll(entry("a"), entry("b")).stories == ()


@pytest.mark.parametrize("then", [FetchReason.UNCHANGED, FetchReason.TIMEOUT])
def test_a_gone_feed_ends_and_says_so(then: FetchReason) -> None:
    """410 stops polling, with a notice for people; polled again with another answer, it lives."""
    feed = started(entry("a"))
    decision = feed.fail(FetchReason.GONE)
    assert decision.state.ended
    assert "paper has ended" in decision.notices[0]
    assert not feed.fail(then, NOW + DAY).state.ended


def test_what_a_feed_publishes_sets_its_pace() -> None:
    """A quiet month makes it slow, a burst quick at once; hours later it is slow again."""
    feed = started(*(entry(str(n), published=NOW - (n + 0.3) * 5 * DAY) for n in range(4)))
    assert feed.state.interval == SETTINGS.max_interval
    feed.poll(*(entry(f"burst{n}", published=NOW) for n in range(10)))
    assert feed.state.interval < 1.2 * SETTINGS.min_interval
    feed.fail(FetchReason.UNCHANGED, NOW + 2 * DAY)
    assert feed.state.interval == SETTINGS.max_interval


def test_a_permanent_redirect_is_adopted_only_when_stable() -> None:
    """After a week of the same answer, not before; a failing new address is given up again."""
    feed = started(entry("a"))
    moved = "https://new.example/feed"
    feed.fail(FetchReason.UNCHANGED, moved=moved)
    assert poll_url(feed.source, feed.state) == SOURCE.url
    feed.fail(FetchReason.UNCHANGED, NOW + DAY)  # an answer without the redirect starts over
    feed.fail(FetchReason.UNCHANGED, NOW + 2 * DAY, moved=moved)
    feed.fail(FetchReason.UNCHANGED, NOW + ADOPT_AFTER, moved=moved)
    assert poll_url(feed.source, feed.state) == SOURCE.url
    decision = feed.fail(FetchReason.UNCHANGED, NOW + 2 * DAY + ADOPT_AFTER, moved=moved)
    assert poll_url(feed.source, feed.state) == moved
    assert decision.notices
    feed.fail(FetchReason.GONE, NOW + 20 * DAY)
    assert poll_url(feed.source, feed.state) == SOURCE.url
    assert not feed.state.ended


def test_a_redirect_is_never_adopted_with_credentials() -> None:
    """Secrets stay with the address they were given for."""
    feed = DecidedFeed(SOURCE.model_copy(update={"url": "https://me:pw@paper.example/feed"}))
    for day in range(20):
        feed.fail(FetchReason.UNCHANGED, NOW + day * DAY, moved="https://new.example/feed")
    assert feed.state.moved_to == ""
    assert "pw" not in str(feed.state)


def test_a_rate_limit_holds_the_site_as_long_as_asked() -> None:
    """Retry-After on 429 and 503, and max-age on 429, are kept, under the cap."""
    feed = started(entry("a"))
    for reason, hints, hold in (
        (FetchReason.RATE_LIMITED, Hints(retry_after=7200.0), 7200.0),
        (FetchReason.UNAVAILABLE, Hints(retry_after=7200.0), 7200.0),
        (FetchReason.RATE_LIMITED, Hints(fresh_for=9000.0), 9000.0),
        (FetchReason.RATE_LIMITED, Hints(retry_after=1e9), SETTINGS.max_retry_after),
        (FetchReason.SERVER_ERROR, Hints(), 0.0),
    ):
        decision = feed.fail(reason, hints=hints)
        assert decision.hold == hold
        assert decision.state.next_due >= NOW + hold


_names = st.integers(0, 12).map(str)


@examples(80)
@given(st.lists(st.lists(st.tuples(_names, st.integers(0, 2)), max_size=8), max_size=8))
def test_every_entry_is_handed_over_exactly_once(polls: list[list[tuple[str, int]]]) -> None:
    """In any sequence of polls: each entry's story once, each version at most one revision."""
    feed = started(entry("base"))
    expected: set[str] = set()
    for at, page in enumerate(polls):
        page_entries = {name: entry(name, summary=f"v{v} of {name} " * 9) for name, v in page}
        expected |= set(page_entries)
        feed.poll(*page_entries.values(), now=NOW + at * 60)
    assert all(count == 1 for count in feed.handed.values())
    originals = {s.origin for k, s in feed.seen.items()}
    assert len(originals) == len(expected) + 1


def test_one_guid_and_one_link_for_all_loses_none() -> None:
    """Alert pages give every alert one GUID and one link: 1 of 2 was told."""
    page = {"guid": "N/A", "link": "https://paper.example/alerts"}
    for same in (page, page | {"guid": "https://paper.example/alerts"}, page | {"guid": "alert-7"}):
        feed = started(entry("a", **same), entry("b", **same))
        decision = feed.poll(*(entry(name, **same) for name in "abcd"))
        assert len(decision.stories) == 2
        assert not any(story.revises for story in decision.stories)
        alone = feed.poll(entry("e", **same))  # from now on one at a time
        assert [story.revises for story in alone.stories] == [""]
        assert feed.poll(entry("e", **same)).stories == ()


def test_alerts_of_one_headline_are_told_apart_by_their_texts() -> None:
    """The same GUID, link and headline for every place that is warned."""
    same = {"guid": "1", "link": "https://paper.example/w", "title": "Weather warning"}
    feed = started(entry("a", **same))
    decision = feed.poll(*(entry(name, **same) for name in "abc"))
    assert len(decision.stories) == 2
    assert feed.poll(*(entry(name, **same) for name in "abc")).stories == ()


def test_guids_of_their_own_on_one_landing_page_are_stories_of_their_own() -> None:
    """One alert at a time, each with a GUID of its own, all with the page's link."""
    page = "https://paper.example/live/storm"
    feed = started(entry("a", link=page))
    for name in "bcd":
        (story,) = feed.poll(entry(name, link=page)).stories
        assert story.revises == ""


def test_a_feed_that_goes_empty_is_a_finding() -> None:
    """No entries where there were some is a failure with a name, polled on as often as before."""
    feed = started(entry("a"), entry("b"))
    interval = feed.state.interval
    decision = feed.poll(now=NOW + 600)
    assert decision.reason == FetchReason.WENT_EMPTY
    assert (feed.state.failures, feed.state.last_success) == (1, NOW)
    assert "no entries" in feed.state.last_error
    assert feed.state.next_due - (NOW + 600) <= interval * 1.2
    assert feed.poll(entry("a"), now=NOW + 1200).reason == FetchReason.OK
    assert feed.state.failures == 0
    assert DecidedFeed().poll().reason == FetchReason.OK  # it never had any
