"""The history: what is kept, that a search finds it, and that it is written with the decision."""

from __future__ import annotations

import csv
import io
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.alerting.silences import Matcher, Silence
from monitor.history.day_texts import DayTexts
from monitor.history.export import as_csv, as_json_lines
from monitor.history.history_store import HistoryStore
from monitor.history.records import Action, AlertRecord, StoryRecord
from monitor.history.search import Query, folded, matches, may_hold, may_match
from monitor.model import Alert, Assignment, Receipt
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from tests.support.alerts import FIRST, NOW, STORY, UPDATE, alert

DAY = 86400.0
TITLES = st.text(min_size=1, max_size=40) | st.text("aB’…“—é`", min_size=1, max_size=40)


def told(name: str, at: float, title: str = "", **changes: Any) -> Alert:
    """An alert of its own event, decided at `at`."""
    made = alert(name, decided_at=at, **changes)
    return replace(made, story=replace(made.story, title=title)) if title else made


async def keep(store: Redis, keys: Keys, *alerts: Alert, now: float = NOW) -> HistoryStore:
    """Write alerts as triage does, in one step."""
    history = HistoryStore(store, keys)
    await apply(store, history.alert_commands(alerts, now))
    return history


def ids(found: Any) -> list[str]:
    """The ids of what was found."""
    return [item.id for item in found.alerts]


async def test_a_search_finds_by_words_topic_outlet_and_day(each_store: Redis, keys: Keys) -> None:
    """Each thing that can be asked for narrows the answer, newest first, whatever the case."""
    history = await keep(
        each_store,
        keys,
        told("old", NOW - 3 * DAY, "Grid attack near Odesa", sources=("Harbour Daily",)),
        told("new", NOW - 60, "ODESA grid is dark again", urgency="critical"),
        told("other", NOW, "Ferry talks end", topic="ferries"),
    )
    assert ids(await history.search(Query())) == ["other", "new", "old"]
    assert ids(await history.search(Query.of("odesa GRID"))) == ["new", "old"]
    assert ids(await history.search(Query.of(topic="ferries"))) == ["other"]
    assert ids(await history.search(Query.of(outlet="harbour"))) == ["old"]
    assert ids(await history.search(Query.of(urgency="critical"))) == ["new"]
    assert ids(await history.search(Query.of(day="2025-12-29"))) == ["old"]
    assert ids(await history.search(Query.of('"quoted" back\\slash'))) == []


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("diyarbakir", "DİYARBAKIR'da patlama"),
        ("Diyarbakır", "DIYARBAKIR: blast"),
        ("can't", "Minister: “we can’t wait”"),
        ("lodz", "Pożar w Łodzi: Łódź"),
        ("غزه", "قصف على غزّة"),
        ("nato", "ＮＡＴＯ会议"),
    ],
)
async def test_a_search_compares_as_gates_do(
    store: Redis, keys: Keys, words: str, title: str
) -> None:
    """Whoever types without accents, or with them, finds the alert."""
    history = await keep(store, keys, told("a", NOW, title=title), told("b", NOW, title="Other"))
    assert ids(await history.search(Query.of(words))) == ["a"]


async def test_first_alerts_are_counted_without_updates(store: Redis, keys: Keys) -> None:
    """Of the alerts since an instant, those that follow another are left out."""
    history = await keep(
        store,
        keys,
        told("old", NOW - 9 * DAY),
        told("one", NOW - 60, topic="ferries"),
        told("two", NOW - 30, topic="ferries", parent="one"),
        told("own", NOW, parent="own"),
    )
    found = await history.first_alerts(NOW - 7 * DAY)
    assert found == [(FIRST.topic, NOW), ("ferries", NOW - 60)]


async def test_a_day_looked_through_before_is_read_anew_when_it_has_grown(
    store: Redis, keys: Keys
) -> None:
    """A search that found nothing leaves nothing behind that hides an alert told later."""
    history = await keep(store, keys, told("a", NOW - DAY, "Grid dark"), told("b", NOW, "Ferry"))
    for _ in range(2):  # the second time from what is kept of the days
        assert ids(await history.search(Query.of("zugzwang"))) == []
    assert ids(await history.search(Query.of("grid"))) == ["a"]
    await keep(store, keys, told("c", NOW - DAY, "Zugzwang"), told("d", NOW, "Zugzwang in Łódź"))
    assert ids(await history.search(Query.of("zugzwang"))) == ["d", "c"]
    assert ids(await history.search(Query.of("lodz"))) == ["d"]


def test_days_beyond_what_memory_may_hold_are_read_each_time() -> None:
    """The day asked for longest ago is forgotten, and then may hold anything."""
    texts, query = DayTexts(most=1_000), Query.of("zugzwang")
    for day in ("one", "two", "three"):
        texts.keep(day, [b'{"title":"%s"}' % (b"x" * 400)])
    assert [texts.may_hold(day, 1, query) for day in ("one", "two", "three")] == [
        True,
        False,
        False,
    ]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    ages=st.lists(st.integers(0, 4), min_size=1, max_size=25),
    page=st.integers(1, 7),
    words=st.sampled_from(["", "missile", "a2"]),
)
async def test_pages_join_without_gap_or_repeat(
    store: Redis, ages: list[int], page: int, words: str
) -> None:
    """Whatever ties in time and gaps of days there are, pages of any size give every alert once.

    With words, which are looked for day by day, and without, where alerts are read one by one.
    """
    own = Keys(f"t{uuid.uuid4().hex[:10]}")
    made = [
        told(f"a{n:02}", NOW - 18 * 3600.0 * age * age, f"Missile hits a{n % 3}")
        for n, age in enumerate(ages)
    ]
    history = await keep(store, own, *made)
    seen: list[str] = []
    cursor = ""
    while True:
        found = await history.search(Query.of(words), page, cursor)
        seen += ids(found)
        if not (cursor := found.cursor):
            break
    fitting = [item for item in made if words in item.story.title.casefold()]
    wanted = sorted(fitting, key=lambda item: (item.decided_at, item.id), reverse=True)
    assert seen == [item.id for item in wanted]


async def test_what_is_older_than_the_history_goes(store: Redis, keys: Keys) -> None:
    """Every key ends by itself or is trimmed when alerts are added."""
    history = HistoryStore(store, keys, keep=10 * DAY)
    await apply(store, history.alert_commands([told("old", NOW)], NOW))
    later = NOW + 11 * DAY
    await apply(store, history.alert_commands([told("new", later)], later))
    assert ids(await history.search(Query())) == ["new"]
    word = told("x", NOW).story.title.split()[0]
    assert ids(await history.search(Query.of(word))) == ["new"]  # its day is still there
    assert await store.ttl(keys("history", "alerts", "20260101")) <= 11 * DAY
    assert await store.ttl(keys("history", "event", "e-old")) <= 10 * DAY


async def test_an_event_keeps_stories_alerts_receipts_and_what_people_did(
    store: Redis, keys: Keys
) -> None:
    """Long after the archive forgot: who reported, who was told where, who answered."""
    history = await keep(store, keys, FIRST, UPDATE)
    late = replace(STORY, id="s-late", seen_at=STORY.seen_at + 60)
    for story in (late, STORY):
        record = StoryRecord.of(story, Assignment(story.id, "e12"), (("energy", "first"),))
        await apply(store, history.story_commands("e12", record))
    receipt = Receipt("a-first@world", "world", NOW + 2, ref="C1:17.0001")
    await apply(store, history.sent_commands(FIRST, receipt))
    await history.note("e12", Action("claim", "Anna", NOW + 5))
    event = await history.event("e12")
    assert event is not None
    assert [story.id for story in event.stories] == ["s-rotterdam", "s-late"]
    assert event.stories[0].decisions == (("energy", "first"),)
    assert [item.id for item in event.alerts] == ["a-first", "a-update"]
    assert event.alerts[0] == AlertRecord.of(FIRST)
    assert [(one.kind, one.by) for one in event.actions] == [("claim", "Anna")]
    sent = await history.deliveries(event.alerts, ["mail", "world"])
    assert [(one.channel, one.at) for one in sent["a-first"]] == [("world", NOW + 2)]
    assert sent["a-update"] == []


async def test_a_merged_event_is_found_under_every_id(store: Redis, keys: Keys) -> None:
    """Links to an absorbed event, chains of them too, lead to what stands now, whole."""
    history = await keep(store, keys, told("a", NOW, event="one"), told("b", NOW, event="two"))
    for gone, into in (("one", "two"), ("two", "three")):
        await apply(store, history.merge_commands(gone, into, NOW))
    for name in ("one", "two", "three"):
        event = await history.event(name)
        assert event is not None and event.id == "three"
        assert [item.id for item in event.alerts] == ["a", "b"]


async def test_an_unknown_event_is_none(store: Redis, keys: Keys) -> None:
    """An id that was never kept is no event."""
    assert await HistoryStore(store, keys).event("nothing") is None


async def test_exports_hold_every_alert_and_no_formula(store: Redis, keys: Keys) -> None:
    """CSV reads back as written, a headline that looks like a formula is text; JSON has all."""
    history = await keep(
        store, keys, told("sum", NOW, '=HYPERLINK("http://x","y")'), told("plain", NOW - 1)
    )
    text = "".join([row async for row in as_csv(history.export(Query()))])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == ["sum", "plain"]
    assert rows[0]["title"] == '\'=HYPERLINK("http://x","y")'
    assert rows[1]["decided_at"] == "2025-12-31T23:59:59+00:00"
    lines = [line async for line in as_json_lines(history.export(Query()))]
    assert len(lines) == 2 and all(line.endswith("\n") for line in lines)


async def test_a_delivery_is_kept_with_its_receipt(
    desk: Any, store: Redis, keys: Keys, slack: Any
) -> None:
    """The notifier's own step keeps what became of an alert: sent, in a digest, or silenced."""
    from tests.delivery.test_slack_bot import slack_config
    from tests.support.alerts import note

    world = await desk("world", slack_config(slack))
    mute = Silence("m1", (Matcher("event", "e-quiet"),), NOW - 1, NOW + 3600, "Anna", kind="mute")
    await world.silences.add(mute, NOW)
    await world.put(note(FIRST, "world"), note(alert("quiet"), "world"))
    await world.run()
    history = HistoryStore(store, keys)
    records = [AlertRecord.of(FIRST), AlertRecord.of(alert("quiet"))]
    sent = await history.deliveries(records, ["world"])
    assert sent["a-first"][0].ref and sent["a-first"][0].words == "sent"
    assert "Anna" in sent["quiet"][0].words


@given(
    title=st.text(min_size=1, max_size=40) | st.text("aB’…“—é`", min_size=1, max_size=40),
    at=st.integers(0, 39),
    length=st.integers(1, 8),
)
def test_no_alert_is_passed_over_unread(title: str, at: int, length: int) -> None:
    """Whatever a headline holds, the quick look at its stored form never misses what matches."""
    record = AlertRecord.of(told("a", NOW, title))
    query = Query.of(record.title[at : at + length])
    if matches(query, record):
        stored = record.to_json().encode("utf-8", "replace")
        assert stored in may_match(query, [b"{}", stored, "{é}".encode()])
        assert may_hold(query, folded([b"{}", stored, "{é}".encode()]))
