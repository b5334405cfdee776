"""`wirewatch topics`: what is watched, what a text would do, what answers say of a topic."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.setup import (
    config_option,
    console,
    fail,
    load_or_exit,
    open_store,
    run_async,
    say_json,
)
from monitor.cli.topic_answers import answers as list_answers
from monitor.cli.topic_wizard import new
from monitor.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.config.schema import Config, Topic
    from monitor.matching.tune import Answer, Proposal
    from monitor.model import Story


@click.group()
def topics() -> None:
    """List topics, make a new one, try a text on them, tune one by editors' answers."""


topics.add_command(new)
topics.add_command(list_answers)


@topics.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_topics(config_dir: Path, as_json: bool) -> None:
    """List the topics with what each has to go by."""
    config = load_or_exit(config_dir)
    rows = [_row(topic) for topic in config.topics]
    if as_json:
        say_json(rows)
        return
    from rich.text import Text

    from monitor.cli.words import rows_by_id
    from monitor.text import counted

    lines = []
    for row in rows:
        has = [
            "description" if row["description"] else "",
            counted(row["examples"], "example") if row["examples"] else "",
            counted(row["counter_examples"], "counter-example") if row["counter_examples"] else "",
            "gates" if row["gates"] else "",
            "" if row["sensitivity"] == "balanced" else row["sensitivity"],
            f"only {', '.join(row['only'])}" if row["only"] else "",
            f"to {', '.join(row['to'])}" if row["to"] else "",
            "" if row["enabled"] else "switched off",
        ]
        text = Text(row["name"])
        text.append(f" ({', '.join(filter(None, has)) or 'a name only'})", style="dim")
        lines.append((row["id"], text))
    console().print(Text(counted(len(rows), "topic"), style="bold"))
    console().print(rows_by_id(lines))


@topics.command("try")
@click.argument("text")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def try_text(text: str, config_dir: Path, as_json: bool) -> None:
    """Score TEXT (a headline, several paragraphs, an address, or - for standard input).

    Shows the topics that fire, with what decided, then those nearest to firing, and counts the
    rest. --json has them all.
    """
    config = load_or_exit(config_dir)
    if not config.topics:
        fail("there are no topics; add some to topics.yaml", code=1)
    story = _story(text, config)
    from monitor.analysis.offline import (
        build_matcher,
        load_encoder,
        ordinary_news,
        topic_judge,
    )
    from monitor.cli.volumes import volumes
    from monitor.embedding.passages import passages
    from monitor.errors import WirewatchError
    from monitor.model import EmbeddedStory

    try:
        encoder = load_encoder(config.embedding)
        matcher = build_matcher(config.topics, encoder)
        parts = passages(story, config.embedding.max_passages)
        vectors = encoder.encode([part.embedded for part in parts])
        item = EmbeddedStory(story, parts, vectors, encoder.fingerprint)
        judge = topic_judge(encoder)
        [item] = judge.over(matcher, [item]) if judge else [item]
        matches = matcher.score_batch([item])[0]
        expected = volumes(config, matcher, lambda: ordinary_news(matcher, encoder, judge))
    except WirewatchError as error:
        fail(error)
    rows: list[dict[str, Any]] = []
    for topic, match in zip(matcher.topics, matches, strict=True):
        rows.append(
            {
                "topic": topic.id,
                "score": match.score,
                "line": match.line,
                "fired": match.fired,
                "reason": match.reason.value if match.reason else "fired",
                "by": match.judged,
                "cosine": match.raw,
                "evidence": match.evidence,
                "passage": parts[match.passage].kind,
                "nearest": match.nearest,
                "terms": list(match.terms),
                "gates": _gates(topic, story),
                "expected": str(expected[topic.id]),
            }
        )
    rows.sort(key=lambda row: -row["score"])
    if as_json:
        found = {"title": story.title, "passages": len(parts), "topics": rows}
        say_json(found)
    else:
        _show(story, len(parts), rows)


@topics.command()
@click.argument("topic_id", metavar="TOPIC")
@config_option
@click.option(
    "--answers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Answers from a JSON-lines file of {"title": …, "good": true|false} instead of the store.',
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tune(topic_id: str, config_dir: Path, answers: Path | None, as_json: bool) -> None:
    """Propose a change to TOPIC from editors' answers, with what it would do. Nothing is written.

    Answers come from the buttons in Slack and from `wirewatch feedback`.
    """
    config = load_or_exit(config_dir)
    topic = config.topic(topic_id)
    if topic is None:
        fail(f"there is no topic {topic_id!r}; `wirewatch topics list` has them all")
    found = _answers(answers) if answers else run_async(_stored_answers(config, topic_id))
    if not found:
        fail(
            f"nobody has answered on {topic_id!r} yet; press the buttons in Slack, or: "
            f"wirewatch feedback STORY --topic {topic_id} --good",
            code=1,
        )
    from monitor.analysis.offline import load_encoder, topic_judge
    from monitor.errors import WirewatchError
    from monitor.matching import Background
    from monitor.matching.tune import propose

    try:
        encoder = load_encoder(config.embedding)
        background = Background.of(encoder.fingerprint, encoder.encode)
        judge = topic_judge(encoder)
        proposal = propose(topic, found, encoder.encode, background, judge)
    except WirewatchError as error:
        fail(error)
    if as_json:
        told = {"answers": len(found), **proposal.as_data()}
        say_json(told)
    else:
        _show_proposal(topic, proposal, len(found))


def _row(topic: Topic) -> dict[str, Any]:
    gates = (topic.require.any, topic.require.all, topic.exclude.any, topic.exclude.all)
    return {
        "id": topic.id,
        "name": topic.name,
        "enabled": topic.enabled,
        "sensitivity": topic.sensitivity,
        "description": bool(topic.description),
        "examples": len(topic.examples),
        "counter_examples": len(topic.not_),
        "gates": any(gates),
        "only": [*topic.languages, *topic.feeds, *topic.tags],
        "to": list(topic.alert.to),
    }


def _story(text: str, config: Config) -> Story:
    from monitor.languages.detect import story_language
    from monitor.model import Story

    if text == "-":
        text = sys.stdin.read()
    if text.startswith(("http://", "https://")) and len(text.split()) == 1:
        title, body = run_async(_page(text.strip(), config))
        spoken = story_language("", title, body)
        return Story(id="try", title=title, url=text.strip(), body=body, language=spoken)
    lines = [line.strip() for line in text.strip().splitlines()]
    if not any(lines):
        fail("there is no text to try")
    body = "\n".join(lines[1:]).strip()
    return Story(id="try", title=lines[0], body=body, language=story_language("", lines[0], body))


async def _page(url: str, config: Config) -> tuple[str, str]:
    """Fetch an article as the poller would; return its headline and text."""
    import html
    import re

    from monitor.clock import SystemClock
    from monitor.errors import FetchError
    from monitor.net.fetcher import Fetcher
    from monitor.parsing.parser_pool import ParserPool

    settings = config.polling.model_copy(update={"parser_processes": 1})
    fetcher = Fetcher(settings, SystemClock())
    pool = ParserPool(settings, job="article")
    try:
        page = await fetcher.fetch(url, accept="text/html, application/xhtml+xml")
        if page.status != 200:
            fail(f"{url} answered {page.status}", code=1)
        body = await pool.article(page.body, page.url)
    except FetchError as error:
        fail(f"{url}: {error}", code=1)
    finally:
        await pool.aclose()
        await fetcher.aclose()
    head = page.body[:200_000].decode("utf-8", "replace")
    named = re.search(r"<title[^>]{0,200}>([^<]{1,500})", head, re.IGNORECASE)
    title = one_line(html.unescape(named.group(1))) if named else ""
    if not title and not body:
        fail(f"{url}: there is no article to read on that page", code=1)
    return title or body.split("\n", 1)[0][:200], body


def _gates(topic: Topic, story: Story) -> dict[str, Any]:
    """Say what a topic's gates make of a story, whatever its score."""
    from monitor.folding import fold
    from monitor.matching.gates import check, excludes

    folded = fold(f"{story.title}\n{story.summary}\n{story.body}")
    said: dict[str, Any] = {}
    if topic.require.any or topic.require.all:
        found = check(topic.require, folded)
        wanted = list(found.missing or topic.require.any)
        said["require"] = {
            "passed": found.passed,
            "met": list(found.met),
            "wanted": [] if found.passed else wanted,
        }
    if topic.exclude.any or topic.exclude.all:
        hit = excludes(topic.exclude, folded)
        said["exclude"] = {"passed": not hit.passed, "met": list(hit.met)}
    return said


_NEAREST = 3  # topics shown that do not fire


def _show(story: Story, passages: int, rows: Sequence[dict[str, Any]]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from monitor.text import counted, one_line

    out = console()
    head = Text(one_line(story.title), style="bold")
    out.print(head.append(f"  ({counted(passages, 'passage')} read)", style="dim"))
    fired = [row for row in rows if row["fired"]]
    quiet = [row for row in rows if not row["fired"]]
    if not fired:
        out.print("No topic fires.")
    for row in [*fired, *quiet[:_NEAREST]]:
        line = Text(
            "fires  " if row["fired"] else "quiet  ", style="bold green" if row["fired"] else ""
        )
        line.append(row["topic"], style="bold").append(
            f"  {row['score']:.2f}, threshold {row['line']:.2f}"
        )
        if not row["fired"]:
            line.append(f"  {_WHY_NOT.get(row['reason'], row['reason'])}", style="dim")
        out.print(line)
        details = []
        if row["fired"] or row["score"] >= row["line"] / 2:
            words = f" [{', '.join(row['terms'])}]" if row["terms"] else ""
            details.append(
                f"because of the {row['passage']}: {one_line(row['evidence'], 160)}{words}"
            )
            details.append(f"nearest to: {one_line(row['nearest'], 100)}")
        if row["fired"]:
            details.append(f"to be expected of this topic: {row['expected']}")
        details += _gate_words(row["gates"])
        for detail in details:
            out.print(Padding(Text(detail, style="dim"), (0, 0, 0, 7)))
    rest = quiet[_NEAREST:]
    if rest:
        best = max(row["score"] for row in rest)
        out.print(Text(f"and {len(rest)} more, {best:.2f} at most", style="dim"))


_WHY_NOT = {
    "below_threshold": "",
    "counter_example": "too near a counter-example",
    "answered": "editors answered not relevant on alike stories",
    "not_required": "held by its require gate",
    "excluded": "held by its exclude gate",
    "language": "another language",
    "out_of_scope": "only for some feeds",
}


def _gate_words(gates: dict[str, Any]) -> list[str]:
    """Return a line on each gate: what it asks for, and whether the text passes."""
    said = []
    for name, gate in gates.items():
        met, wanted = ", ".join(gate["met"]), ", ".join(gate.get("wanted", ()))
        found = f"the text has {met}" if met else "none of its words is in the text"
        missing = f"the text lacks {wanted}" if wanted else ""
        result = "passes" if gate["passed"] else "shuts it out"
        said.append(f"{name} gate {result}: {missing or found}")
    return said


def _answers(path: Path) -> list[Answer]:
    from monitor.matching.tune import Answer

    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append(Answer(str(row["title"]), bool(row["good"])))
        except (ValueError, TypeError, KeyError):
            fail(f'{path}:{number}: not an answer; write {{"title": "…", "good": true}}')
    return found


async def _stored_answers(config: Config, topic: str) -> list[Answer]:
    from monitor.alerting.feedback_store import FeedbackStore
    from monitor.analysis.archive import AnalysisStore
    from monitor.matching.tune import Answer

    found = []
    async with open_store(config) as (client, keys):
        archive = AnalysisStore.of(client, config)
        for verdict in await FeedbackStore(client, keys).all(topic):
            stored = await archive.story(verdict.story)
            if title := stored[0].story.title if stored else verdict.title:
                found.append(Answer(title, verdict.good))
    return found


def _show_proposal(topic: Topic, proposal: Proposal, answers: int) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    table = Table(title=f"{topic.name}: {answers} answers")
    for name in ("", "precision", "recall", "F1", "of ordinary news"):
        table.add_column(name, justify="left" if not name else "right")
    for name, effect in (("as it is", proposal.before), ("as proposed", proposal.after)):
        cells = (effect.precision, effect.recall, effect.f1)
        table.add_row(name, *(f"{cell:.2f}" for cell in cells), f"{effect.ordinary:.2%}")
    out.print(table)
    out.print(
        "Each answer was judged without itself among the examples. Ordinary news: the share of "
        "it that would fire by the encoder, before the judge reads it."
    )
    if not proposal.changes:
        out.print("Nothing to change: no proposal does better on these answers.")
        return
    out.print(Text("\nPut this in place of the same keys of the topic:\n", style="bold"))
    click.echo(proposal.yaml())
    out.print(
        f"Then: wirewatch check, and wirewatch backtest --against LIVE_CONFIG. "
        f"{proposal.mended} answers come right, {proposal.spoilt} go wrong."
    )
