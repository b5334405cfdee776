"""Each screen shows what the store holds, and takes a person's word, without JavaScript."""

from __future__ import annotations

import dataclasses
import re

import pytest
from jinja2 import meta

from monitor.desk.app import ProblemPage
from monitor.desk.pages import (
    delivery,
    event,
    feeds,
    history,
    now,
    sign_in,
    silences,
    topics,
    why,
)
from monitor.desk.render import environment
from tests.desk.world import HEADLINES, HOSTILE, DeskWorld

SCREENS = ("/", "/events/e0", "/why", "/feeds", "/silences", "/delivery", "/history", "/topics",
           "/delivery/letter?id=notifier:x@world")  # fmt: skip


@pytest.mark.parametrize("path", SCREENS)
async def test_every_screen_is_a_whole_page(world: DeskWorld, path: str) -> None:
    """Each answers with a page of its own title, one main heading, and a strict policy."""
    async with await world.someone() as anna:
        answer = await anna.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.text.count("<h1") == 1 and "</html>" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert (
        " style=" not in answer.text
        and "<style" not in answer.text
        and "onclick" not in answer.text
    )


async def test_now_shows_a_row_a_happening_with_its_times(world: DeskWorld) -> None:
    """Newest first, an update within its row, who is on it, and when it was told."""
    async with await world.someone() as anna:
        text = (await anna.get("/")).text
    assert text.count('<li class="row') == len(HEADLINES)
    assert text.index(HEADLINES[0][0]) < text.index(HEADLINES[3][0])
    assert "grid operator confirms damage" in text and "2 sources" in text
    assert "Anna is on it" in text and "told 00:00:02" in text


async def test_filters_stand_in_the_address(world: DeskWorld) -> None:
    """Topic, urgency and words narrow the rows; what matches nothing says so."""
    async with await world.someone() as anna:
        assert (await anna.get("/?topic=energy")).text.count('<li class="row') == 2
        assert (await anna.get("/?urgency=critical")).text.count('<li class="row') == 1
        assert (await anna.get("/?q=GENEVA")).text.count('<li class="row') == 1
        assert "No alert matches" in (await anna.get("/?q=nothing")).text


async def test_an_answer_is_kept_with_its_author(world: DeskWorld) -> None:
    """The button notes the verdict for tuning and in the event's own record."""
    async with await world.someone("Anna") as anna:
        form = {"story": "s0", "topic": "energy", "verdict": "not_relevant", "back": "/events/e0"}
        answer = await anna.post("/events/e0/answer", data=form)
        assert answer.status_code == 303
        page = (await anna.get(answer.headers["location"])).text
    (verdict,) = await world.desk.feedback.all("energy")
    assert (verdict.story, verdict.good, verdict.by) == ("s0", False, "Anna")
    assert "Noted: it does not belong" in page and "not relevant to energy" in page


async def test_an_answer_on_a_story_of_another_event_is_refused(world: DeskWorld) -> None:
    """Only what was told in this event can be answered on."""
    async with await world.someone() as anna:
        form = {"story": "s3", "topic": "energy", "verdict": "relevant"}
        answer = await anna.post("/events/e0/answer", data=form)
    assert answer.status_code == 400 and await world.desk.feedback.all("energy") == []


async def test_a_claim_is_seen_by_all_and_in_the_slack_thread(world: DeskWorld) -> None:
    """Who is on it stands on both screens; Slack gets a word under the first alert."""
    async with await world.someone("Clara") as clara:
        await clara.post("/events/e0/claim")
        assert "Clara is on it" in (await clara.get("/")).text
        (due,) = await world.desk.outbox.read("world", world.clock.now(), 10)
        assert due.notification.notice == "Clara is on it."
        assert due.notification.follows == "a0@world"
        await clara.post("/events/e0/release")
        assert "Clara is on it</span>" not in (await clara.get("/")).text


async def test_a_claim_ends_with_the_event(world: DeskWorld) -> None:
    """After the window in which an event stays open nobody is on it any more."""
    async with await world.someone() as anna:
        assert "Anna is on it" in (await anna.get("/")).text
        world.clock.advance(world.config.events.window + 1)
        assert "Anna is on it" not in (await anna.get("/")).text


async def test_a_story_is_asked_to_be_kept_apart(world: DeskWorld) -> None:
    """The button stands at each report but not at copies; asking is noted with the name, once."""
    async with await world.someone("Anna") as anna:
        page = (await anna.get("/events/e0")).text
        assert page.count("Not the same happening</button>") == 2  # s0 and s0u; s0c is a copy
        answer = await anna.post("/events/e0/apart", data={"story": "s0u"})
        assert answer.status_code == 303
        page = (await anna.get("/events/e0")).text
        assert "Being kept apart" in page and "Anna</b> not the same happening" in page
        for story in ("s0u", "s0c", "nowhere"):
            again = await anna.post("/events/e0/apart", data={"story": story})
            assert again.status_code == 400
    (parting,) = await world.desk.partings.all()
    assert (parting.story, parting.by, parting.others) == ("s0u", "Anna", ())


async def test_an_event_is_told_line_by_line(world: DeskWorld) -> None:
    """The page says how it began and what each story added, dated, quoted, with its outlet."""
    async with await world.someone("Anna") as anna:
        page = " ".join((await anna.get("/events/e0")).text.split())
        assert "Line by line" not in (await anna.get("/events/e1")).text
    lines = page[page.index("Line by line") : page.index("Alerts and who was told")]
    first, second = lines.split("</li>")[:2]
    assert HEADLINES[0][0] in first and "Example World News</b>: “" in first
    assert "Harbour Daily</b>: “<bdi" in second
    assert ">The grid operator confirms damage to two power stations.</bdi>”" in second
    assert "Coast Radio" not in lines, "a copy adds nothing"


async def test_a_mute_silences_the_event_everywhere(world: DeskWorld) -> None:
    """The mute is a silence with its author, and the page says so."""
    async with await world.someone("Anna") as anna:
        await anna.post("/events/e0/mute")
        assert "muted</a>" in (await anna.get("/events/e0")).text
    mutes = [s for s in await world.desk.silences.active(world.clock.now()) if s.kind == "mute"]
    assert [(str(m.matchers[0]), m.author) for m in mutes] == [("event=e0", "Anna")]


async def test_a_silence_is_previewed_before_it_is_set(world: DeskWorld) -> None:
    """The preview names what the last day would have lost; adding carries author and reason."""
    async with await world.someone("Anna") as anna:
        page = (await anna.get("/silences", params={"m": "topic=energy", "for": "2h"})).text
        assert "3 of 5</b> alerts" in page.replace("\n", "")
        form = {"m": "topic=energy\nurgency=low", "for": "3h", "reason": "tests"}
        assert (await anna.post("/silences", data=form)).status_code == 303
        bad = await anna.post("/silences", data={"m": "colour=red", "for": "2h"})
    assert bad.status_code == 400 and "is not a matcher" in bad.text and "colour=red" in bad.text
    made = [s for s in await world.desk.silences.active(world.clock.now()) if s.id != "q1"]
    assert [(s.author, s.reason, len(s.matchers)) for s in made] == [("Anna", "tests", 2)]


async def test_dead_letters_go_back_or_away(world: DeskWorld) -> None:
    """Put back: it waits in the outbox again and the letter is gone."""
    async with await world.someone() as anna:
        assert "channel gone" in (await anna.get("/delivery")).text
        await anna.post("/delivery/requeue", data={"id": "notifier:x@world"})
        assert await world.desk.dead_letters.list() == []
        assert await world.desk.outbox.waiting("world") == 1
        gone = await anna.post("/delivery/drop", data={"id": "notifier:x@world"})
    assert gone.status_code == 404


async def test_a_feed_is_polled_at_once(world: DeskWorld) -> None:
    """The button makes a watched feed due; a feed that is not watched is refused."""
    due = world.keys("due")
    await world.store.zadd(due, {"coast": world.clock.now() + 500})
    async with await world.someone() as anna:
        assert (await anna.post("/feeds/poll", data={"feed": "coast"})).status_code == 303
        assert (await anna.post("/feeds/poll", data={"feed": "nope"})).status_code == 400
    assert await world.store.zscore(due, "coast") == world.clock.now()


async def test_the_history_is_searched_and_exported(world: DeskWorld) -> None:
    """Words and day narrow it; the exports hold what the search finds; a bad day is said."""
    async with await world.someone() as anna:
        assert HEADLINES[1][0] in (await anna.get("/history?q=geneva")).text
        rows = (await anna.get("/history.csv?q=geneva")).text.splitlines()
        assert len(rows) == 2 and "Geneva" in rows[1]
        assert len((await anna.get("/history.jsonl")).text.splitlines()) == 5
        bad = await anna.get("/history?day=yesterday")
    assert bad.status_code == 400 and "is not a day" in bad.text


async def test_an_event_absorbed_by_another_is_found(world: DeskWorld) -> None:
    """An old link shows the event that stands."""
    from monitor.store.transaction import apply

    await apply(world.store, world.desk.history.merge_commands("e3", "e0", world.clock.now()))
    async with await world.someone() as anna:
        page = (await anna.get("/events/e3")).text
    assert (
        HEADLINES[0][0] in page and HEADLINES[3][0] in page and "turned out to be this one" in page
    )


async def test_hostile_headlines_are_only_text(world: DeskWorld) -> None:
    """Markup is escaped, direction overrides and control characters are gone, length is bounded."""
    await world.hostile()
    async with await world.someone() as anna:
        for path in ("/", "/history", "/events/e100", "/events/e103"):
            text = (await anna.get(path)).text
            assert "<script>alert" not in text and "<img" not in text
            assert "\u202e" not in text and "\x07" not in text and "A" * 600 not in text
            assert "onmouseover='" not in text and "49" not in text.partition("<main")[2][:0]
        assert HOSTILE[2] in (await anna.get("/")).text


def test_every_context_is_what_its_template_shows() -> None:
    """A page's documented fields and the names its template uses are the same."""
    contexts = {
        "now.html": now.NowPage, "event.html": event.EventPage, "why.html": why.WhyPage,
        "feeds.html": feeds.FeedsPage, "silences.html": silences.SilencesPage,
        "problem.html": ProblemPage,
        "history.html": history.HistoryPage, "delivery.html": delivery.DeliveryPage,
        "dead_letter.html": delivery.LetterPage, "sign_in.html": sign_in.SignInPage,
        "inspect.html": feeds.InspectContext, "topics.html": topics.TopicsPage,
        "tuner.html": topics.TunerPage,
    }  # fmt: skip
    templates = set(environment().list_templates()) - {"base.html", "parts.html"}
    assert templates == set(contexts)
    loader = environment().loader
    assert loader is not None
    for template, context in contexts.items():
        assert context.__doc__ and not context.__doc__.startswith(f"{context.__name__}(")
        fields = {field.name for field in dataclasses.fields(context)}
        source = loader.get_source(environment(), template)[0]
        used = meta.find_undeclared_variables(environment().parse(source))
        own = {"frame", "asset", "bars", "strip", "parts"}
        own |= set(re.findall(r"{% macro (\w+)", source))
        for names in re.findall(r"{% set ([a-z, ]+) =", source):
            own |= set(names.split(", "))
        assert used - own == fields, template
