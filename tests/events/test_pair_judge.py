from __future__ import annotations

import asyncio
import csv
from pathlib import Path

import pytest
from eventtools import axis, index, story
from redis.asyncio import Redis

from monitor.analysis.pair_store import REST, PairStore
from monitor.events.pair_judge import MOST, Question
from monitor.events.pair_score import logit
from monitor.events.place_names import places, places_in
from monitor.store.keys import Keys

TRAINS = [
    story("a", "Passenger train derails in Pakistan, 20 dead", 0, axis(1), source="A"),
    story("b", "Passenger train derails in India, 20 dead", 6, axis(1, 0.4, 1), source="B"),
]
PAIRS = Path(__file__).parents[2] / "benchmarks" / "happenings" / "pairs.tsv"


def answered(judge: float | None, stories: list = TRAINS):  # type: ignore[no-untyped-def,type-arg]
    """Assignments with one answer to every question; None leaves them unanswered."""
    held = index()
    prepared = held.prepare(stories, ask=True)
    given = {} if judge is None else {(q.story, q.other): judge for q in prepared.questions}
    return prepared.questions, held.assign(prepared, given)


def test_the_judge_parts_what_vectors_join_and_joins_what_it_reads_as_one() -> None:
    """Near vectors are asked about; a no keeps the second disaster a first report of its own."""
    questions, (_, second) = answered(-4.0)
    assert [(q.story, q.other) for q in questions] == [("b", "a")]
    assert questions[0].one == "Passenger train derails in India, 20 dead"
    assert second.new_event
    assert "the judge says two events" in second.why
    reports = [TRAINS[0], story("c", "Express derails in Pakistan, many dead", 6, axis(1, 0.4, 1))]
    _, (first, again) = answered(4.0, reports)
    assert again.event == first.event


def test_without_an_answer_a_pair_is_apart() -> None:
    """A judge that is down leaves the cautious answer."""
    _, (_, second) = answered(None)
    assert second.new_event


def test_where_there_is_no_judge_links_decide_alone() -> None:
    """A model without a judge works as before."""
    stories = [story("a", "Ferry runs aground off Northport", 0, axis(1)),
               story("b", "Northport ferry runs aground", 1, axis(1))]  # fmt: skip
    one, two = index().assign(stories)
    assert one.event == two.event


def test_other_countries_are_named_and_confirm_nothing() -> None:
    """Places that differ weigh against a link, are named, and keep a report from being a source."""
    held = index()
    _, second = held.assign(
        [
            story("a", "Passenger train derails in Pakistan, 20 dead", 0, axis(1), source="A"),
            story("b", "Passenger train derails in India, 20 dead", 0.1, axis(1), source="B"),
        ]
    )
    assert second.sources in (("A",), ("B",))
    assert "India here, Pakistan there" in second.why


def test_at_most_some_questions_a_story() -> None:
    """Whatever is near, a story costs the judge a few pairs."""
    many = [story(f"s{n}", f"Storm nears coast of region{n}", n / 10, axis(1, 0.2, n))
            for n in range(12)]  # fmt: skip
    questions, _ = answered(-4.0, many)
    asked = [q.story for q in questions]
    assert max(map(asked.count, asked)) <= MOST


def test_two_languages_are_read_where_one_would_not_be() -> None:
    """Reports in two languages share no words, so less nearness is enough to ask about them."""

    def asked(tongue: str) -> bool:
        reports = [
            story("a", "Zug entgleist bei Lahore", 0, axis(1), language="de"),
            story("b", "Several hurt as carriages overturn", 6, axis(1, 2.2, 1), language=tongue),
        ]
        return bool(answered(None, reports)[0])

    assert asked("en")
    assert not asked("de-AT")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Взрыв на НПЗ в Рязани", ["Russia"]),
        ("У Тернополі ракета влучила в будинок", ["Ukraine"]),
        ("香港大埔宏福苑火灾", ["Hong Kong SAR China"]),
        ("زلزال شرق أفغانستان", ["Afghanistan"]),
        ("Erdbeben in der Türkei: Hunderte Tote", ["Türkiye"]),
        ("Chuva em Petrópolis deixa mortos", ["Brazil"]),
        ("Magnitude 5.6 quake strikes Sichuan", ["China"]),
        ("四川发生5.6级地震", ["China"]),
        ("Washington Post lays off staff", []),
        ("Rivals split over nice bar", []),
    ],
)
def test_places_are_known_in_any_script(text: str, expected: list[str]) -> None:
    """Towns, regions and countries are found with their country; papers and words are not."""
    table = places()
    found = [table.names[table.country[number]] for number in places_in(text)]
    assert list(dict.fromkeys(found)) == expected


def test_towns_of_our_own_pairs_are_found_apart() -> None:
    """Of our pairs of one kind in two places, places tell most apart by themselves."""
    with PAIRS.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    apart = [row for row in rows if row["verdict"] == "apart" and row["why"] == "place"]
    told = [not set(places_in(row["one"])) & set(places_in(row["two"])) for row in apart]
    assert sum(told) >= 0.9 * len(apart)


def test_log_odds() -> None:
    """Odds stay within bounds at the ends."""
    assert logit(0.5) == 0.0
    assert logit(0.0) < -10 < 10 < logit(1.0)


async def test_questions_reach_an_embedder_and_answers_come_back(store: Redis) -> None:
    """Triage asks through the store, an embedder answers, each answer finds its question."""
    asking = PairStore(store, store, Keys("t"))
    asked = [Question("b", "a", "one", "two"), Question("c", "a", "three", "four")]

    async def embedder() -> None:
        request = await asking.next_request(2.0)
        assert request is not None and request.pairs == (("one", "two"), ("three", "four"))
        await asking.answer(request, [1.5, -2.0])

    answers, _ = await asyncio.gather(asking.ask(asked, 0.0), embedder())
    assert answers == {("b", "a"): 1.5, ("c", "a"): -2.0}


async def test_a_judge_that_is_down_costs_one_wait(
    store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unanswered questions are given up, and none are asked for a while."""
    monkeypatch.setattr("monitor.analysis.pair_store.WAIT", 0.01)
    asking = PairStore(store, store, Keys("t"))
    question = [Question("b", "a", "one", "two")]
    assert await asking.ask(question, 100.0) == {}
    assert await store.delete(Keys("t")("pairs")) == 1
    assert await asking.ask(question, 100.0 + REST / 2) == {}
    assert await store.exists(Keys("t")("pairs")) == 0
