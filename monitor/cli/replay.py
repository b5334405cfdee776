"""`wirewatch replay`: what would have been told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.setup import OutputFile, config_option, fail, load_or_exit, say, say_json

if TYPE_CHECKING:
    from monitor.analysis.replay import Tally
    from monitor.config.schema import Config


@click.command()
@click.argument("stories", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@click.option(
    "--out",
    type=OutputFile(),
    help="Write one decision a line here, in the order of the input.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def replay(stories: Path, config_dir: Path, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Run the stories of a JSON-lines file through the real analysis, sending nothing.

    Each line is an object with title and, as far as known, id, url, summary, content, source and
    published. The result is deterministic: the same stories and topics give the same decisions.
    """
    config = load_or_exit(config_dir)
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from monitor.analysis import replay as pipeline
    from monitor.analysis.offline import offline_analysis
    from monitor.cli.setup import console

    lines, problems = pipeline.read_stories(stories)
    for problem in problems:
        say(str(problem), err=True)
    if not lines:
        fail(f"{stories}: there is no story in it", code=1)
    lines = pipeline.with_trust(lines, config.feeds)
    analysis, encoder = offline_analysis(config)
    tally = pipeline.Tally()
    decisions: dict[int, dict[str, Any]] = {}
    final: dict[str, str] = {}
    by_id: dict[str, int] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console(stderr=True), disable=quiet
    ) as bar:
        task = bar.add_task("reading stories", total=len(lines))
        found = pipeline.replay(
            lines,
            analysis,
            encoder,
            window=config.events.window,
            max_passages=config.embedding.max_passages,
            progress=lambda done: bar.advance(task, done),
            final_events=final,
        )
        for at, outcome, matches in found:
            tally.add(outcome)
            by_id[outcome.item.story.id] = at
            if out is not None:
                decisions[at] = pipeline.output(outcome, matches)
    if out is not None:
        with out.open("w", encoding="utf-8") as file:
            for at, line in enumerate(lines):
                row = decisions[at if at in decisions else by_id[line.story.id]]
                row = pipeline.set_event(row, final.get(line.story.id, row["event"]))
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    tally.events = set(final.values())
    _summary(tally, config, as_json)
    if problems:
        raise SystemExit(1)


def _summary(tally: Tally, config: Config, as_json: bool) -> None:
    topics = {
        topic.id: {
            "matching": tally.fired[topic.id],
            "alerts": tally.alerts[topic.id],
            "updates": tally.updates[topic.id],
            "held_back": {
                reason: n for (of, reason), n in sorted(tally.held.items()) if of == topic.id
            },
        }
        for topic in config.topics
    }
    whole = {"stories": tally.stories, "copies": tally.copies, "events": len(tally.events)}
    if as_json:
        say_json({**whole, "topics": topics})
        return
    from rich.table import Table

    from monitor.cli.setup import console

    table = Table(
        title=f"{tally.stories:,} stories, {tally.copies:,} copies, {len(tally.events):,} events"
    )
    longest = max(map(len, topics), default=0)
    table.add_column("topic", no_wrap=True, min_width=longest)  # people have to type it
    for name in ("matching stories", "alerts", "updates", "held back as told", "nothing new"):
        table.add_column(name, justify="right")
    for topic, row in topics.items():
        held = tally.held
        told = held[topic, "already_told"] + held[topic, "copy"]
        cells = (row["matching"], row["alerts"], row["updates"], told, held[topic, "nothing_new"])
        table.add_row(topic, *(f"{cell:,}" for cell in cells))
    table.add_section()
    sums = (sum(tally.fired.values()), sum(tally.alerts.values()), sum(tally.updates.values()))
    table.add_row("all", *(f"{n:,}" for n in sums))
    console().print(table)
