"""Trust of a source: from the configuration alone. Whoever forges it gains nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.alert_decision import decide
from monitor.alerting.routing import matches
from monitor.config.load import load_config
from monitor.config.schema import FeedSource, PollingSettings, RouteMatch
from monitor.config.starter import starter_files
from monitor.delivery.formatting import byline, sources_line
from monitor.editors.source_trust import table, trust_of
from monitor.events.features import reduce
from monitor.events.groups import Event
from monitor.events.owners import Owners
from monitor.events.records import pack, unpack
from monitor.model import Entry, FeedState, Story
from monitor.parsing.document import ParsedFeed
from monitor.polling import poll_decision
from monitor.polling.fetch_result import FetchResult
from monitor.reasons import FetchReason, SuppressionReason, Trust
from tests.alerting.test_alert_decide import NOW, assigned, fired, item, topic
from tests.support.alerts import FIRST, UPDATE

FEED = FeedSource(id="forger", url="https://news.forger.example/feed")
words = st.sampled_from(["Reuters", "Reuters (wire)", "AP", "(Reuters) -", "apnews.com", ""])


def test_every_source_of_the_starter_feeds_was_judged(tmp_path: Path) -> None:
    """No starter feed is unknown by oversight: each has a word and a readable ground."""
    for name, text in starter_files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    feeds = load_config(tmp_path).feeds
    assert len(feeds) > 20
    for feed in feeds:
        assert trust_of(feed, urlsplit(feed.url).hostname or "") in table().values(), feed.id
    assert all(len(judged.ground) > 8 for judged in table().values())


@pytest.mark.parametrize(
    ("host", "trust"),
    [
        ("feeds.reuters.com", "wire"),
        ("WWW.REUTERS.COM.", "wire"),
        ("feeds.bbci.co.uk", "established"),
        ("abcnews.go.com", "established"),
        ("other.go.com", "unknown"),
        ("reuters.com.forger.example", "unknown"),
        ("reuters-com.example", "unknown"),
        ("notreuters.com", "unknown"),
        ("reuters.co", "unknown"),
        ("xn--reters-c2a.com", "unknown"),
        ("rеuters.com", "unknown"),
        ("", "unknown"),
    ],
)  # fmt: skip
def test_only_the_host_itself_counts(host: str, trust: str) -> None:
    """A domain that looks like a wire's, in any script, or has its name as a part, is unknown."""
    assert trust_of(FEED, host).trust == trust


def test_the_configuration_goes_before_the_table() -> None:
    """A desk may think otherwise of a source, for better or worse."""
    feed = replace_feed(FEED, trust="local")
    assert trust_of(feed, "feeds.reuters.com").trust is Trust.LOCAL


@given(title=words, author=words, lead=words, outlet=words)
def test_nothing_a_publisher_writes_changes_its_trust(
    title: str, author: str, lead: str, outlet: str
) -> None:
    """Title of the feed, byline, credit, link and guid may claim what they like."""
    entry = Entry(
        guid="https://www.reuters.com/world/1",
        title=f"{title} Ferry aground off Northport",
        link="https://www.reuters.com/world/1",
        summary=f"{lead} The ferry lay still.",
        author=author,
        published=NOW - 60,
    )
    parsed = ParsedFeed(version="rss20", entries=(entry,), title=outlet, link="https://reuters.com")
    found = poll_decision.decide(
        FEED,
        FeedState(feed_id="forger", url="", baselined=True),
        {},
        FetchResult(FetchReason.OK, status=200, parsed=parsed, host="news.forger.example"),
        NOW,
        PollingSettings(),
    )
    assert [story.trust for story in found.stories] == ["unknown"]


def test_a_redirect_has_the_trust_of_who_answers() -> None:
    """Whoever answers wrote the document: a wire's old address that leads elsewhere is no wire."""
    wire = replace_feed(FEED, url="https://feeds.reuters.com/world")
    assert trust_of(wire, "parked.example").trust is Trust.UNKNOWN


@pytest.mark.parametrize(
    ("wanted", "trusts", "missing"),
    [
        ({"trusted": 1}, ("unknown", "state"), "0 of 1 trusted sources"),
        ({"trusted": 1}, ("unknown", "official"), ""),
        ({"any": 2, "trusted": 1}, ("established",), "1 of 2 independent sources"),
        ({"wire": 1}, ("established", "official"), "0 of 1 wires"),
        ({"wire": 1}, ("wire",), ""),
        (2, ("unknown",), "1 of 2 independent sources"),
        (2, ("unknown", "state"), ""),
    ],
)
def test_a_topic_may_wait_for_a_trusted_source(
    wanted: object, trusts: tuple[str, ...], missing: str
) -> None:
    """`min_sources` counts by trust; what is missing is named."""
    places = assigned("a", tuple("AB"[: len(trusts)]), trusts=trusts)
    found = decide(topic(min_sources=wanted), item(), fired(), places, None, NOW)
    if not missing:
        assert found.alert is not None and found.alert.trusts == trusts
        return
    assert found.suppression is not None
    assert found.suppression.reason is SuppressionReason.AWAITING_SOURCES
    assert found.suppression.detail.startswith(missing)


def test_a_waiting_alert_is_told_when_the_wire_comes() -> None:
    """The first report waits, and is told, with the wire among its sources, once a wire has it."""
    watch = topic(min_sources={"wire": 1})
    first = decide(watch, item(), fired(), assigned(trusts=("unknown",)), None, NOW)
    later = assigned("b", ("A", "Reuters"), trusts=("unknown", "wire"))
    told = decide(watch, item("b"), fired(), later, first.told, NOW)
    assert told.alert is not None and told.alert.story.id == "a"
    assert told.alert.trusts == ("unknown", "wire")


def member(id: str, owner: str, trust: str, **more: object):  # type: ignore[no-untyped-def]
    """A story as the event window holds it."""
    told = Story(id=id, title="Ferry aground", owner=owner, trust=trust, **more)  # type: ignore[arg-type]
    return reduce(replace(item(), story=told), Owners({}))


def test_a_forged_credit_takes_nothing_from_the_agency() -> None:
    """An unknown feed credits Reuters first; the agency's own report stands in its place."""
    event = Event("e", 0.0, 0.0)
    event.count(member("a", "forger.example", "unknown", author="Reuters"))
    assert event.trust == {"forger.example": "unknown"}
    event.count(member("b", "Reuters", "wire", author="Reuters"))
    assert event.trust == {"Reuters": "wire"}
    event.count(member("c", "forger.example", "unknown", author="Reuters"))
    assert event.trust == {"Reuters": "wire"}


def test_a_copy_never_adds_a_source_but_the_more_trusted_stands() -> None:
    """The agency's text, posted by another first, counts once, and as the agency's."""
    event = Event("e", 0.0, 0.0)
    event.count(member("a", "forger.example", "unknown"))
    event.repeat(member("b", "Reuters", "wire"), "forger.example")
    event.repeat(member("c", "Gazette", "local"), "forger.example")
    assert event.trust == {"Reuters": "wire"}


def test_trust_outlives_a_restart_and_older_records_are_read() -> None:
    """The window's records keep the word; those written before it had one are read as unsaid."""
    held = member("a", "Reuters", "wire")
    stored = pack(held, held.vector, {})
    assert unpack(stored)[0].trust == "wire"
    begin = stored.index(b',"wire"')
    end = stored.index(b"]", begin)
    old = bytes([3]) + stored[1:begin] + b" " * (end - begin) + stored[end:]
    assert unpack(old)[0].trust == ""


def test_the_word_stands_beside_the_outlet_and_cannot_be_claimed() -> None:
    """Messages say "Outlet (word)"; an outlet whose name brings such a word loses it."""
    named = replace(FIRST, story=replace(FIRST.story, source="Reuters (WIRE)", trust="unknown"))
    assert byline(named) == "Reuters (unknown)"
    assert byline(replace(FIRST, story=replace(FIRST.story, source="(wire)"))) == "unknown"
    told = replace(UPDATE, sources=("A (wire)", "B"), trusts=("local", ""))
    assert sources_line(told).startswith("2 independent sources: A (local), B")


def test_a_route_may_ask_for_trust() -> None:
    """`match: {trust: [wire]}` takes what a wire reported, and nothing without a word."""
    wire = replace(FIRST, story=replace(FIRST.story, trust="wire"))
    assert matches(RouteMatch(trust=("wire",)), wire)
    assert not matches(RouteMatch(trust=("wire",)), FIRST)


def replace_feed(feed: FeedSource, **changes: object) -> FeedSource:
    """Return a feed with other settings."""
    return FeedSource.model_validate({"id": feed.id, "url": feed.url, **changes})
