"""What an outside list had: told, held, below the threshold or never seen; and the list itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.missed_report import report
from monitor.cli import main
from monitor.config.load import examine
from monitor.config.schema import FeedSource
from monitor.editors.missed import Checked, SeenStory, check, counts, suggestions
from monitor.editors.outside_list import NOON, Outside, from_entries, from_table, instant
from monitor.model import Entry, Story
from monitor.reasons import MissedReason

DAY = 1_767_225_600.0
FEEDS = (FeedSource(id="bbc-world", url="https://feeds.bbci.co.uk/x.xml", name="BBC News"),)


def axis(*numbers: int) -> np.ndarray:
    """One unit vector for each number."""
    return np.eye(8, dtype=np.float32)[list(numbers)]


def seen(id: str, **record: object) -> SeenStory:
    """A story of the day and what was decided about it."""
    return SeenStory(Story(id=id, title=f"Report {id}", seen_at=DAY), record)


def one(record: dict[str, object], *others: SeenStory) -> Checked:
    """What became of a happening that the first of these stories reports."""
    stories = [seen("a", **record), *others]
    vectors = axis(0, *(1 for _ in others))
    return check([Outside("Bridge falls (AP)", DAY)], axis(0), stories, vectors, FEEDS)[0]


ALERT = {"topic": "bridges", "event": "e1", "reason": "first"}
MATCH = {"topic": "bridges", "score": 0.3, "line": 0.5}


def test_told_by_another_story_of_its_event_is_told() -> None:
    """A desk heard of the happening, whichever report it was that told it."""
    found = one({"event": "e1"}, seen("b", event="e1", alerts=[ALERT]))
    assert (found.reason, found.why) == (MissedReason.TOLD, "bridges: first")


def test_held_names_by_what() -> None:
    """A match that something kept back is no matter of the threshold."""
    held = {"topic": "bridges", "reason": "awaiting_sources", "detail": "0 of 1 wires"}
    found = one({"event": "e1", "suppressions": [held], "matches": [MATCH]})
    assert found.reason is MissedReason.HELD
    assert found.why == "bridges: awaiting sources (0 of 1 wires)"


def test_below_names_the_nearest_topic() -> None:
    """Seen and near no topic: the score and what it needed."""
    low = {**MATCH, "topic": "ferries", "score": 0.1}
    found = one({"event": "e1", "matches": [low, MATCH]})
    assert (found.reason, found.why) == (MissedReason.BELOW, "bridges: 0.30 of the 0.50 it needs")
    assert "wirewatch feedback a --topic bridges --good" in suggestions([found])[-1]


@pytest.mark.parametrize(
    ("text", "link", "why"),
    [
        ("Bridge falls (BBC News)", "", "BBC News had it, but not bbc-world, the feed of it"),
        ("Bridge falls (AP)", "", "AP had it, and no feed of it is watched"),
        ("Bridge falls", "https://www.dw.com/a", "dw.com had it, and no feed of it is watched"),
        ("Bridge falls", "", ""),
    ],
)
def test_never_seen_says_who_could_have_had_it(text: str, link: str, why: str) -> None:
    """The outlet that the list cites is watched, or is not."""
    (found,) = check([Outside(text, DAY, "", link)], axis(0), [seen("a")], axis(1), FEEDS)
    assert found.reason is MissedReason.NEVER_SEEN and found.why.startswith(why)


def test_days_apart_are_another_happening() -> None:
    """The same words a week later report something else."""
    (found,) = check([Outside("Bridge", DAY + 7 * 86400)], axis(0), [seen("a")], axis(0), FEEDS)
    assert found.reason is MissedReason.NEVER_SEEN


def test_the_judge_has_the_last_word() -> None:
    """Near in meaning is not the same happening: what the judge parts stays apart."""
    asked: list[tuple[str, str]] = []

    def judge(first: object, second: object) -> list[float]:
        asked.extend(zip(first, second, strict=True))  # type: ignore[call-overload]
        return [-3.0] * len(asked)

    (found,) = check([Outside("Bridge", DAY)], axis(0), [seen("a")], axis(0), FEEDS, judge)
    assert asked == [("Bridge", "Report a")] and found.reason is MissedReason.NEVER_SEEN


def test_counts_by_subject_and_in_all() -> None:
    """The table counts every happening once in all, and once under its subject."""
    rows = [Checked(Outside("x", 1, "War"), MissedReason.TOLD, ""),
            Checked(Outside("y", 1), MissedReason.BELOW, "")]  # fmt: skip
    table = counts(rows)
    assert sum(table[""].values()) == 2 and table["War"] == {MissedReason.TOLD: 1}


def test_a_table_is_read_and_a_bad_row_is_named() -> None:
    """Columns by name in any order; a row without a day is left out and said so."""
    text = 'subject\tday\ttext\nWar\t2026-01-02\tBridge “falls"\n\tsoon\tx\n\n'
    found, faults = from_table(text)
    assert found == [Outside('Bridge “falls"', instant("2026-01-02"), "War")]
    assert instant("2026-01-02") % 86400 == NOON
    assert faults == ["line 3: no day as in 2026-01-31; the line was left out"]
    with pytest.raises(ValueError, match="name the columns"):
        from_table("a\tb\n1\t2")


@given(st.text(max_size=200))
def test_any_table_gives_rows_or_one_message(text: str) -> None:
    """Hostile text is read or refused with the one error that the command explains."""
    try:
        found, _ = from_table(text)
    except ValueError as error:
        assert "name the columns" in str(error)
    else:
        assert all(row.text.isprintable() for row in found)


def test_the_message_names_the_gravest_first() -> None:
    """Flash before notable, never seen before below; what was told is only counted."""
    rows = [
        Checked(Outside("a", 1), MissedReason.BELOW, "ferries: 0.1 of 0.5", severity="notable"),
        Checked(Outside("b", 2), MissedReason.TOLD, "", severity="flash"),
        Checked(Outside("c", 3), MissedReason.HELD, "", severity="flash"),
        Checked(Outside("d", 4), MissedReason.NEVER_SEEN, "", severity="notable"),
        *(Checked(Outside(f"x{n}", 5), MissedReason.BELOW, "", severity="none") for n in range(9)),
    ]
    lines = report(rows).split("\n")
    assert lines[0] == (
        "What we missed: of 13 happenings 1 told, 1 held, 10 below the threshold, 1 never seen."
    )
    assert lines[1:4] == [
        "Held · flash: c",
        "Never seen · notable: d",
        "Below the threshold · notable: a (ferries: 0.1 of 0.5)",
    ]
    assert lines[-1] == "and 4 more" and len(lines) == 10
    assert report([]).endswith("so nothing is known.")


@pytest.mark.parametrize(
    ("missed", "said"),
    [
        ("{lists: [https://a.example/f], to: [terminal]}", ""),
        ("{lists: [list.tsv], to: [terminal], cron: '0 8 * * mon-fri'}", ""),
        ("{lists: [https://a.example/f]}", "name the channels that get the message"),
        ("{lists: [https://a.example/f], to: [dsek]}", 'there is no channel "dsek"'),
        ("{lists: [other.tsv], to: [terminal]}", "there is no file"),
        ("{lists: ['ftp://a.example/f'], to: [terminal]}", "does not start with http"),
        ("{to: [terminal], cron: '0 25 * * *'}", "is not a schedule: hour may be"),
        ("{to: [terminal], timezone: Europe/Atlantis}", "is not an IANA time zone"),
    ],
)
def test_the_plan_is_checked(tmp_path: Path, missed: str, said: str) -> None:
    """A mistake in the daily message is named with what to do; a file is found beside."""
    (tmp_path / "wirewatch.yaml").write_text(f"missed: {missed}\n", encoding="utf-8")
    (tmp_path / "list.tsv").write_text("day\ttext\n", encoding="utf-8")
    reading = examine(tmp_path)
    errors = [problem.message for problem in reading.problems if problem.severity == "error"]
    ours = [message for message in errors if "feeds" not in message and "topics" not in message]
    assert (said in " ".join(ours)) if said else ours == []
    if "list.tsv" in missed:
        assert reading.config.missed.lists == (str(tmp_path / "list.tsv"),)


def test_entries_without_a_date_are_left_out() -> None:
    """A feed as the list: its entries with a date."""
    rows = from_entries([Entry("1", "Bridge falls", published=5.0), Entry("2", "Undated")])
    assert rows == [Outside("Bridge falls", 5.0)]


def test_the_command_reads_a_replay(tmp_path: Path) -> None:
    """`wirewatch missed --replay` counts a list against a replay's stories and decisions."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "wirewatch.yaml").write_text("embedding: {model: hashing}\n", encoding="utf-8")
    (folder / "topics.yaml").write_text("topics: [Bridges]\n", encoding="utf-8")
    (folder / "feeds.yaml").write_text("feeds: [https://a.example/f]\n", encoding="utf-8")
    titles = {"a": "Bridge falls into the river at Northport", "b": "Ferry fares rise in spring"}
    rows = [{"id": k, "title": t, "published": DAY + n} for n, (k, t) in enumerate(titles.items())]
    decisions = [
        {"id": "a", "event": "e1", "alerts": [ALERT], "matches": [], "suppressions": []},
        {"id": "b", "event": "e2", "alerts": [], "matches": [MATCH], "suppressions": []},
    ]
    for name, lines in (("stories", rows), ("decisions", decisions)):
        text = "".join(json.dumps(row) + "\n" for row in lines)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    listed = tmp_path / "list.tsv"
    listed.write_text(
        f"at\tsubject\ttext\n2026-01-01T00:00:00+00:00\tAccidents\t{titles['a']}\n"
        f"2026-01-01T00:00:01+00:00\tEconomy\t{titles['b']}\n"
        "2026-01-01T00:00:01+00:00\tEconomy\tVolcano wakes (Reuters)\n"
        "2027-01-01\tOther\tNot of these days\n",
        encoding="utf-8",
    )
    done = CliRunner().invoke(
        main,
        ["missed", str(listed), "--config", str(folder), "--json", "--out", str(tmp_path / "o.tsv"),
         "--replay", str(tmp_path / "stories.jsonl"), str(tmp_path / "decisions.jsonl")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert [row["outcome"] for row in json.loads(done.stdout)] == ["told", "below", "never_seen"]
    assert (tmp_path / "o.tsv").read_text(encoding="utf-8").count("\n") == 4
