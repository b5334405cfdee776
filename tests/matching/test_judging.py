"""Topics judged before they go live, tuned by answers, and run over stored stories."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.ranking import average_precision, best_f1, quality
from monitor.analysis.backtest_report import render_report
from monitor.cli.backtest import backtest
from monitor.cli.topics import topics as topics_command
from monitor.config.schema import Topic
from monitor.embedding.transformer import TransformerEmbedder
from monitor.matching import Background, DoubtKind, TopicMatcher, review
from monitor.matching.tune import Answer, propose
from monitor.model import Vector

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_model")]

Vectors = Callable[..., dict[str, Vector]]

TOPICS = """
topics:
  - id: grid
    name: energy infrastructure strikes
    description: Attacks on power plants, grids and refineries.
  - id: quakes
    name: earthquakes
    require: {any: [quake*, earthquake*, magnitude]}
"""
STORIES = [
    ("2026-03-01T08:00:00Z", "Missiles hit power plants around Kharkiv, grid operator says"),
    ("2026-03-01T09:00:00Z", "Late goal sends the hosts into the semi-final"),
    ("2026-03-02T08:00:00Z", "Magnitude 6.9 quake shakes the coast, no tsunami warning"),
    ("2026-03-03T08:00:00Z", "Festival line-up mixes old stars and new bands"),
]


def doubts(background: Background, vectors_of: Vectors, *topics: Topic) -> dict[str, list[str]]:
    """Return the kinds of doubt about each topic."""
    vectors = vectors_of(*topics)
    matcher = TopicMatcher.build(topics, vectors, background)
    found: dict[str, list[str]] = {topic.id: [] for topic in topics}
    for doubt in review(topics, matcher, vectors):
        assert doubt.message
        found[doubt.topic].append(doubt.kind.value)
    return found


def test_sound_topics_are_left_in_peace(background: Background, vectors_of: Vectors) -> None:
    """Topics an analyst would write bring no doubt."""
    sound = [
        Topic(id="a", name="energy infrastructure strikes"),
        Topic(
            id="b",
            name="Bank of England interest rates",
            examples=("Bank of England holds rates as inflation proves stubborn",),
            not_=("European Central Bank cuts rates",),
            require={"any": ["bank", "rates"]},  # type: ignore[arg-type]
        ),
    ]
    assert doubts(background, vectors_of, *sound) == {"a": [], "b": []}


@pytest.mark.parametrize(
    ("fields", "kind", "loc"),
    [
        (
            {
                "examples": ["Quake flattens villages", "Strong tremor felt in the capital"],
                "not": ["Strong tremor felt in the capital city"],
            },
            DoubtKind.EXAMPLE_MISSED,
            ("examples", 1),
        ),
    ],
)
def test_a_topic_at_odds_with_itself_is_named(
    fields: dict[str, object],
    kind: DoubtKind,
    loc: tuple[str, int],
    background: Background,
    vectors_of: Vectors,
) -> None:
    """The doubt points at the line of the example concerned."""
    topic = Topic(id="t", name="earthquakes", **fields)  # type: ignore[arg-type]
    vectors = vectors_of(topic)
    matcher = TopicMatcher.build([topic], vectors, background)
    found = [(doubt.kind, doubt.loc) for doubt in review([topic], matcher, vectors)]
    if kind is DoubtKind.EXAMPLE_MISSED and (kind, loc) not in found:
        # The counter-example may lose instead; either way the conflict is named.
        assert (DoubtKind.COUNTER_EXAMPLE_CAUGHT, ("not", 0)) in found
    else:
        assert (kind, loc) in found


def test_twins_and_vague_topics_are_named(background: Background, vectors_of: Vectors) -> None:
    """A topic said twice, and one that fires on everything, are pointed out."""
    first = Topic(id="a", name="earthquakes", description="Earthquakes anywhere in the world.")
    second = Topic(id="b", name="Earthquakes", description="Earthquakes all over the world.")
    assert doubts(background, vectors_of, first, second)["b"] == ["near_duplicate"]


def test_a_vague_topic_is_named(
    background: Background, vectors_of: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic that fires on more of ordinary news than allowed is called vague, with the share."""
    # The package exports the function under the module's own name.
    monkeypatch.setattr(sys.modules["monitor.matching.topic_review"], "VAGUE", 0.001)
    wide = Topic(id="c", name="White House politics", sensitivity="broad")
    assert "vague" in doubts(background, vectors_of, wide)["c"]


def test_answers_become_a_proposal(model: TransformerEmbedder, background: Background) -> None:
    """Tuning proposes examples and counter-examples as YAML, judged on answers it had not seen."""
    good = [
        "Dockers walk out at the container port",
        "Crane drivers down tools in pay row",
        "Harbour workers begin a week of stoppages",
        "Stevedores vote to strike",
        "Tug crews refuse overtime",
        "Longshoremen picket the terminal gates",
    ]
    bad = [
        "Ferry sinks in harbour",
        "Port sold to investors",
        "New cranes arrive at the port",
        "Cruise ship docks after storm",
        "Customs seize cocaine at the port",
        "Harbour bridge shut",
    ]
    answers = [Answer(text, True) for text in good] + [Answer(text, False) for text in bad]
    topic = Topic(id="port", name="Ports")
    proposal = propose(topic, answers, model.encode, background)
    assert proposal.after.f1 > proposal.before.f1
    assert set(proposal.changes) <= {"examples", "not", "sensitivity"}
    assert all(line in proposal.yaml() for line in proposal.changes)
    right = propose(topic, answers[:1], model.encode, background)
    assert right.before.f1 <= right.after.f1


def test_topics_try_shows_scores_evidence_and_gates(tmp_path: Path) -> None:
    """The command prints every topic with its threshold, the reason and what its gates say."""
    (tmp_path / "topics.yaml").write_text(TOPICS, encoding="utf-8")
    told = CliRunner().invoke(
        topics_command,
        ["try", "Missiles hit power plants around Kharkiv", "--config", str(tmp_path), "--json"],
    )
    assert told.exit_code == 0, told.output
    rows = {row["topic"]: row for row in json.loads(told.stdout)["topics"]}
    assert rows["grid"]["fired"] and rows["grid"]["score"] > rows["grid"]["line"]
    assert not rows["quakes"]["fired"]
    assert rows["quakes"]["gates"]["require"]["passed"] is False
    listed = CliRunner().invoke(topics_command, ["list", "--config", str(tmp_path), "--json"])
    assert [row["id"] for row in json.loads(listed.stdout)] == ["grid", "quakes"]


def test_backtest_counts_compares_and_reports(tmp_path: Path) -> None:
    """A stories file gives alerts by topic, the difference to another folder, and an HTML page."""
    new, old = tmp_path / "new", tmp_path / "old"
    for folder, text in ((new, TOPICS), (old, TOPICS.replace("id: grid", "id: power"))):
        folder.mkdir()
        (folder / "topics.yaml").write_text(text, encoding="utf-8")
    stories = tmp_path / "stories.jsonl"
    rows = [
        json.dumps({"id": f"s{n}", "title": title, "published": at})
        for n, (at, title) in enumerate(STORIES)
    ]
    stories.write_text("\n".join(rows), encoding="utf-8")
    page = tmp_path / "report.html"
    base = ["--config", str(new), "--stories", str(stories), "--quiet"]
    run = CliRunner().invoke(
        backtest, [*base, "--against", str(old), "--html", str(page), "--json"]
    )
    assert run.exit_code == 0, run.output
    data = json.loads(run.stdout)
    assert data["stories"] == 4
    assert data["topics"]["grid"]["alerts"] == 1
    assert data["topics"]["quakes"]["alerts"] == 1
    assert len(data["against"]["grid"]["added"]) == 1
    assert len(data["against"]["power"]["removed"]) == 1
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 4
    assert "http" not in html.replace("http-equiv", "")
    assert CliRunner().invoke(backtest, [*base, "--max-alerts-per-day", "0"]).exit_code == 1
    assert CliRunner().invoke(backtest, [*base, "--max-alerts-per-day", "5"]).exit_code == 0


def test_a_report_escapes_what_publishers_write() -> None:
    """A headline with markup stays text in the report."""
    evil = {
        "title": "<script>alert(1)</script>",
        "score": 0.6,
        "url": "javascript:alert(1)",
        "outlet": "<i>Evil</i>",
        "evidence": "<u>",
    }
    topic = {
        "id": "t",
        "name": "<b>t</b>",
        "line": 0.5,
        "fired": 1,
        "alerts": 1,
        "updates": 0,
        "mean": 1.0,
        "most": 1,
        "scores": [0.6],
        "days": [("2026-03-01", 1)],
        "list": [("2026-03-01", evil)],
        "silent": [("<s>", 1)],
        "above": [evil],
        "below": [],
    }
    html = render_report({"title": "r", "summary": "s", "topics": [topic], "differences": None})
    assert "<script>" not in html and "<i>Evil" not in html and "<u>" not in html
    assert "javascript:" not in html and "<s>" not in html
    assert "<b>t" not in html


def test_measures_agree_with_their_definitions() -> None:
    """Average precision, precision, recall and F1 on cases worked out by hand."""
    assert average_precision([0.9, 0.8, 0.7], [True, False, True]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([0.5, 0.5], [True, False]) == pytest.approx(0.5)
    assert average_precision([0.5], [False]) == 0.0
    found = quality([True, True, False, False], [True, False, True, False])
    assert (found.precision, found.recall, found.f1) == (0.5, 0.5, 0.5)
    assert quality([False], [True]).f1 == 0.0
    assert best_f1([0.9, 0.8, 0.1], [True, True, False]) == 1.0
