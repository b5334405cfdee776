"""`wirewatch replay` through its command line, with the real model and the starter's topics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_model")]

TALKS = (
    "Diplomats from Washington and Moscow spent a second day in the lakeside hotel, moving "
    "between rooms while aides carried drafts of a statement that nobody would describe as final.",
    "The American side arrived with a shorter list than before. Officials who briefed reporters "
    "said the list had been cut to what could be agreed within weeks, and that harder questions "
    "about borders and guarantees had been put into a second basket for later meetings.",
    "The Russian delegation answered with a list of its own, longer and older, much of it familiar "
    "to anyone who had followed earlier rounds. A spokesman called the mood businesslike, a word "
    "that has been used after each of the meetings so far and that no longer tells anyone much.",
    "Kyiv had sent nobody to the table, but its envoys sat in a city an hour away and were told of "
    "each draft by telephone. They asked for changes to two sentences, and by nightfall one of the "
    "two had been changed, according to a person who had seen both versions of the text.",
    "European governments watched from a distance and said little. Several capitals had asked for "
    "a seat and been told that seats would come later, when there was something to sign and money "
    "to be found for those who would have to keep the peace along a very long line.",
    "Analysts who study such negotiations said that the pace mattered more than the words. Rounds "
    "that are held close together tend to keep their drafts alive, they argued, while long pauses "
    "invite each side to go back to the positions that please its own public at home.",
)
STRIKE = (
    "While the delegations dined, missiles and drones struck two thermal power plants and a high "
    "voltage substation in the east, leaving large parts of three regions without electricity and "
    "heating. Engineers said the turbine hall of the larger power station had burnt out and that "
    "the grid would run on emergency schedules for weeks."
)
LATER = (
    "In the hotel's small press room the talk was of dates. A third meeting was said to be likely "
    "before the end of the month, in a country that both sides consider friendly enough, with the "
    "same heads of delegation and perhaps a visit of the ministers on the last day.",
    "Much depends on parliaments that have not been asked yet. Lawmakers in several countries want "
    "to see the text before it is signed, and some have promised to vote against anything that "
    "looks like a reward for the side that began the war, whatever the experts may advise.",
    "For the mediators the next days are about telephones. They have to keep both capitals from "
    "saying in public what would bind them in private, a task that one of them compared to "
    "carrying water in the hands across a long and crowded market square.",
    "Former negotiators recall that an earlier agreement took eleven rounds, four of which were "
    "broken off in anger. They say that anger is part of the method, since each side must show at "
    "home how hard it has fought before it can show what it has brought back.",
    "On the lake promenade a few protesters held up photographs of relatives who are missing. They "
    "had been promised a meeting with a member of one of the delegations, and waited until dark, "
    "when a young aide came out, took their letter, and said that it would be read that evening.",
    "Economists attached to the talks have begun to price what peace would cost and what it would "
    "free. Their first tables, which were passed around on paper only, set the bill for rebuilding "
    "against the frozen reserves that both sides claim, and leave a gap that donors would have to "
    "close year after year for most of a decade, under rules that are still to be written.",
    "A veteran of the first rounds recalled how little was decided in the plenary room. Sentences "
    "were traded in corridors and over breakfast, he said, and the formal sessions mainly served "
    "to read out what two people had settled the night before, so that the rest could object to it "
    "in an orderly way and have the objection written down.",
    "Public opinion in the two countries that matter most is tired and divided. Pollsters report "
    "that a majority wants an end to the war and that no majority can be found for any particular "
    "way of ending it, a combination which leaves the negotiators more room than they admit and "
    "less time than they would like before the next elections come round.",
    "The neutral hosts have drawn up a plan for observers who would drive along the line in white "
    "cars and write down what they see. They would need permission to travel at night, lawyers "
    "said, and somebody to whom they could report who would neither bury nor leak what they wrote; "
    "on both of these points the drafts are still silent.",
    "Religious leaders have offered to help with lists of prisoners. Earlier exchanges worked "
    "because names were checked by people who had no part in the politics, one bishop said, and "
    "because nobody tried to weigh one name against another. Several hundred families have sent "
    "letters, and volunteers sort them by region in a rented school gymnasium.",
    "The agenda for the third day is short. The delegations will read the statement once more, "
    "decide whether to publish it, and name the two people who are to stay in touch until the next "
    "round. Everything else, a member of the mediating team said, has been moved to the annexes, "
    "where it may rest until somebody has the courage to take it out.",
    "The hosts, for their part, spoke of patience and of the good weather. The hotel is booked for "
    "another week, its manager said, and the conference rooms are paid for in advance.",
)


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made by `wirewatch init`."""
    folder = tmp_path_factory.mktemp("starter") / "config"
    result = CliRunner().invoke(main, ["init", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


def replay(starter: Path, tmp_path: Path, *stories: dict[str, object] | str) -> Result:
    """Run the command on stories (or raw lines), decisions into `out.jsonl`."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in stories]
    (tmp_path / "stories.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CliRunner().invoke(
        main,
        ["replay", str(tmp_path / "stories.jsonl"), "--config", str(starter),
         "--out", str(tmp_path / "out.jsonl"), "--quiet"],
    )  # fmt: skip


def decisions(tmp_path: Path) -> list[dict[str, object]]:
    """What was decided, one for each story."""
    return [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]


def test_one_paragraph_of_a_long_article_fires_its_topic(starter: Path, tmp_path: Path) -> None:
    """A thousand words about talks, one paragraph on power plants: told, with that paragraph."""
    body = "\n\n".join((*TALKS, STRIKE, *LATER))
    assert 800 <= len(body.split()) <= 1400
    article = {"id": "long", "title": "US and Russian envoys resume Ukraine talks", "content": body}
    result = replay(starter, tmp_path, article)
    assert result.exit_code == 0, result.output
    (decision,) = decisions(tmp_path)
    matches = {match["topic"]: match for match in decision["matches"]}  # type: ignore[index,attr-defined]
    energy = matches["energy-infrastructure-strikes"]
    assert energy["fired"]
    assert "missiles and drones struck two thermal power plants" in energy["evidence"]
    assert matches["us-russia-ukraine-talks"]["fired"]
    assert "energy-infrastructure-strikes" in {a["topic"] for a in decision["alerts"]}  # type: ignore[index,attr-defined]


def test_every_topic_is_listed_for_every_story_in_input_order(
    starter: Path, tmp_path: Path
) -> None:
    """The decisions file follows the input, whatever the order of the stories' times."""
    rows = [
        {"id": "b", "title": "Ferry timetable changes", "published": "2026-03-02T10:00:00Z"},
        {"id": "a", "title": "Museum finds a map", "published": "2026-03-01T10:00:00Z"},
    ]
    assert replay(starter, tmp_path, *rows).exit_code == 0
    found = decisions(tmp_path)
    assert [row["id"] for row in found] == ["b", "a"]
    assert all(len(row["matches"]) == 5 for row in found)  # type: ignore[arg-type]
    assert all(0 <= m["score"] <= 1 for row in found for m in row["matches"])  # type: ignore[union-attr,attr-defined]


def test_replay_is_deterministic(starter: Path, tmp_path: Path) -> None:
    """The same stories give the same bytes."""
    rows = [{"title": f"Drones strike a power station near town {n}"} for n in range(20)]
    replay(starter, tmp_path, *rows)
    first = (tmp_path / "out.jsonl").read_bytes()
    replay(starter, tmp_path, *rows)
    assert (tmp_path / "out.jsonl").read_bytes() == first


def test_bad_lines_are_named_and_the_rest_goes_on(starter: Path, tmp_path: Path) -> None:
    """Broken JSON, a story without title, an impossible date: file:line each, exit code 1."""
    result = replay(
        starter, tmp_path, "{broken", {"id": "x"}, {"title": "Sound", "published": "yesterday"},
        {"title": "Sound and whole"},
    )  # fmt: skip
    assert result.exit_code == 1
    for line in (1, 2, 3):
        assert f"stories.jsonl:{line}:" in result.output
    assert len(decisions(tmp_path)) == 1
    assert "Traceback" not in result.output


def test_the_same_id_twice_counts_once(starter: Path, tmp_path: Path) -> None:
    """A story that stands in the file twice is analysed once and answered twice."""
    row = {"id": "one", "title": "Drones strike a power station near Odesa"}
    result = replay(starter, tmp_path, row, row)
    assert result.exit_code == 0
    first, second = decisions(tmp_path)
    assert first == second
