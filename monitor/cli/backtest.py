"""`wirewatch backtest`: what a topic file would have told, before it goes live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.setup import (
    OutputFile,
    config_option,
    console,
    fail,
    load_or_exit,
    open_store,
    run_async,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.analysis.backtest import Backtest, Case, Difference, Remembering
    from monitor.analysis.replay import Line
    from monitor.config.schema import Config


@click.command()
@config_option
@click.option(
    "--stories",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON-lines file of stories, as `replay` takes it.",
)
@click.option("--since", default="14d", show_default=True, help="Of the store's own stories.")
@click.option(
    "--against",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another configuration folder, for instance the live one: show what would change.",
)
@click.option("--html", type=OutputFile(), help="Write a report with plots.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--max-alerts-per-day",
    type=click.IntRange(min=0),
    help="Exit code 1 if a topic would send more first alerts than this on any one day.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def backtest(
    config_dir: Path,
    stories: Path | None,
    since: str,
    against: Path | None,
    html: Path | None,
    as_json: bool,
    max_alerts_per_day: int | None,
    quiet: bool,
) -> None:
    """Run stored stories through the topics and show what would fire. Nothing is sent.

    Exit code: 0 fine, 1 more alerts than allowed or no stories, 2 a mistake in a configuration.
    """
    config = load_or_exit(config_dir)
    other = load_or_exit(against) if against else None
    from monitor.analysis.backtest import Remembering, as_data, compare, run_backtest
    from monitor.analysis.offline import load_encoder
    from monitor.errors import WirewatchError

    try:
        encoder = Remembering(load_encoder(config.embedding))
        if stories is not None:
            lines = _from_file(stories)
        else:
            lines = run_async(_from_store(config, since, encoder))
        if not lines:
            where = stories or f"the store, of the last {since}"
            fail(f"there are no stories in {where}; name a file with --stories", code=1)
        result = _with_bar(lines, config, encoder, quiet, run_backtest)
        differences = None
        if other is not None:
            differences = compare(result, run_backtest(lines, other, encoder))
    except WirewatchError as error:
        fail(str(error))
    if html is not None:
        from monitor.analysis.backtest_report import render_report

        html.write_text(render_report(_page(result, differences)), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(as_data(result, differences), indent=2, ensure_ascii=False))
    else:
        _show(result, differences)
        if html is not None:
            click.echo(f"Report: {html}")
    topic, day, most = result.busiest()
    if max_alerts_per_day is not None and most > max_alerts_per_day:
        fail(f"{topic}: {most} alerts on {day}, more than {max_alerts_per_day} a day", code=1)


def _with_bar(
    lines: Sequence[Line], config: Config, encoder: Remembering, quiet: bool, run: Any
) -> Backtest:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console(stderr=True), disable=quiet
    ) as bar:
        task = bar.add_task("reading stories", total=len(lines))
        found: Backtest = run(lines, config, encoder, progress=lambda done: bar.advance(task, done))
        return found


def _from_file(path: Path) -> list[Line]:
    from monitor.analysis.replay import read_stories

    lines, problems = read_stories(path)
    for problem in problems:
        click.echo(str(problem), err=True)
    return lines


async def _from_store(config: Config, since: str, encoder: Remembering) -> list[Line]:
    """Return the archive's stories, oldest first; vectors of the same model are taken over."""
    from monitor.analysis.archive import AnalysisStore
    from monitor.analysis.replay import Line
    from monitor.clock import SystemClock
    from monitor.config.schema import parse_duration

    try:
        seconds = parse_duration(since)
    except ValueError as error:
        fail(f"--since: {error}")
    lines: list[Line] = []
    async with open_store(config) as (client, keys):
        archive = AnalysisStore(client, keys, config.store.keep_stories, config.events.window)
        now = SystemClock().now()
        async for ids in archive.between(now - seconds, now):
            for story_id in ids:
                found = await archive.story(story_id)
                if found is None:
                    continue
                item = found[0]
                if item.model == encoder.fingerprint:
                    encoder.know(item)
                lines.append(Line(len(lines) + 1, item.story))
    return lines


def _show(result: Backtest, differences: Sequence[Difference] | None) -> None:
    from rich.table import Table
    from rich.text import Text

    out, days = console(), max(1, len(result.days))
    table = Table(title=f"{result.stories:,} stories of {len(result.days)} days")
    table.add_column("topic")
    for name in ("line", "matching", "alerts", "updates", "alerts a day", "most in a day"):
        table.add_column(name, justify="right")
    for topic in result.topics:
        most = max(topic.per_day().values(), default=0)
        table.add_row(
            topic.id,
            f"{topic.line:.2f}",
            f"{topic.fired:,}",
            f"{len(topic.alerts):,}",
            f"{topic.updates:,}",
            f"{len(topic.alerts) / days:.1f}",
            str(most),
        )
    out.print(table)
    for topic in result.topics:
        above, below = topic.nearest()
        out.print(Text(f"\n{topic.id}: nearest to the line", style="bold"))
        for case in reversed(above):
            out.print(Text(f"  fires  {case.score:.2f}  {case.title}"))
        out.print(Text(f"  ------ {topic.line:.2f}  line", style="dim"))
        for case in below:
            out.print(Text(f"  quiet  {case.score:.2f}  {case.title}", style="dim"))
    if differences is None:
        return
    out.print()
    if not differences:
        out.print("Against the other configuration: the same alerts.")
    for one in differences:
        out.print(Text(f"{one.topic}: +{len(one.added)} alerts, −{len(one.removed)}", style="bold"))
        for mark, cases in (("+", one.added), ("−", one.removed)):
            for case in cases[:20]:
                out.print(Text(f"  {mark} {case.score:.2f}  {case.title}"))
            if len(cases) > 20:
                out.print(f"  {mark} and {len(cases) - 20} more; --json lists them all")


def _page(result: Backtest, differences: Sequence[Difference] | None) -> dict[str, Any]:
    days = result.days
    topics = []
    for topic in result.topics:
        per_day = topic.per_day()
        above, below = topic.nearest()
        topics.append(
            {
                "id": topic.id,
                "name": topic.name,
                "line": topic.line,
                "fired": topic.fired,
                "alerts": len(topic.alerts),
                "updates": topic.updates,
                "mean": len(topic.alerts) / max(1, len(days)),
                "most": max(per_day.values(), default=0),
                "scores": [case.score for case in topic.cases],
                "days": [(day, per_day[day]) for day in days],
                "above": above,
                "below": below,
            }
        )
    span = f"{days[0]} to {days[-1]}" if days else "no days"
    return {
        "title": "Wirewatch backtest",
        "summary": f"{result.stories:,} stories, {span}; {_alerts(result)} first alerts.",
        "topics": topics,
        "differences": differences,
    }


def _alerts(result: Backtest) -> int:
    cases: list[Case] = [case for topic in result.topics for case in topic.alerts]
    return len(cases)
