"""`wirewatch backtest`: what a topic file would have told, before it goes live."""

from __future__ import annotations

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
    say,
    say_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from monitor.analysis.backtest import Backtest, Case, Difference, Remembering
    from monitor.analysis.replay import ReplayStory
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
@click.option("--topic", "only", multiple=True, help="Only this topic; may be given repeatedly.")
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
    only: tuple[str, ...],
    as_json: bool,
    max_alerts_per_day: int | None,
    quiet: bool,
) -> None:
    """Run stored stories through the topics and list the alerts there would be. Nothing is sent.

    Exit code: 0 fine, 1 more alerts than allowed or no stories, 2 a mistake in a configuration.
    """
    context = click.get_current_context()
    given = context.get_parameter_source("since") is click.core.ParameterSource.COMMANDLINE
    if stories is not None and given:
        fail("--since is for the store's own stories; leave it out beside --stories")
    config = _only(load_or_exit(config_dir), only, must=True)
    other = _only(load_or_exit(against), only) if against else None
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
        fail(error)
    if html is not None:
        from monitor.analysis.backtest_report import render_report

        html.write_text(render_report(_page(result, differences)), encoding="utf-8")
    if as_json:
        say_json(as_data(result, differences))
    else:
        _show(result, differences)
        if html is not None:
            say(f"Report: {html}")
    topic, day, most = result.busiest()
    if max_alerts_per_day is not None and most > max_alerts_per_day:
        fail(f"{topic}: {most} alerts on {day}, more than {max_alerts_per_day} a day", code=1)


def _only(config: Config, ids: tuple[str, ...], *, must: bool = False) -> Config:
    """Return the configuration with these topics only; all of them if none is named."""
    if not ids:
        return config
    from monitor.config.names import did_you_mean

    known = {topic.id for topic in config.topics}
    for name in ids:
        if must and name not in known:
            fail(f'there is no topic "{name}"; {did_you_mean(name, known)}')
    return config.model_copy(update={"topics": tuple(t for t in config.topics if t.id in ids)})


def _with_bar(
    lines: Sequence[ReplayStory], config: Config, encoder: Remembering, quiet: bool, run: Any
) -> Backtest:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console(stderr=True), disable=quiet
    ) as bar:
        task = bar.add_task("reading stories", total=len(lines))
        found: Backtest = run(lines, config, encoder, progress=lambda done: bar.advance(task, done))
        return found


def _from_file(path: Path) -> list[ReplayStory]:
    from monitor.analysis.replay import read_stories

    lines, problems = read_stories(path)
    for problem in problems:
        say(str(problem), err=True)
    return lines


async def _from_store(config: Config, since: str, encoder: Remembering) -> list[ReplayStory]:
    """Return the archive's stories, oldest first; vectors of the same model are taken over."""
    from monitor.analysis.archive import AnalysisStore
    from monitor.analysis.replay import ReplayStory
    from monitor.clock import SystemClock
    from monitor.config.value_types import parse_duration

    try:
        seconds = parse_duration(since)
    except ValueError as error:
        fail(f"--since: {error}")
    lines: list[ReplayStory] = []
    async with open_store(config) as (client, _):
        archive = AnalysisStore.of(client, config)
        now = SystemClock().now()
        async for ids in archive.between(now - seconds, now):
            for story_id in ids:
                found = await archive.story(story_id)
                if found is None:
                    continue
                item = found[0]
                if item.model == encoder.fingerprint:
                    encoder.know(item)
                lines.append(ReplayStory(len(lines) + 1, item.story))
    return lines


_LISTED = 20  # alerts of one topic in the terminal, unless it is the only one


def _show(result: Backtest, differences: Sequence[Difference] | None) -> None:
    from rich.text import Text

    from monitor.text import counted, one_line

    out, days = console(), max(1, len(result.days))
    span = f"{result.days[0]} to {result.days[-1]}" if result.days else ""
    out.print(
        Text(f"{counted(result.stories, 'story')} of {counted(len(result.days), 'day')}", "bold"),
        Text(span, style="dim"),
    )
    for topic in result.topics:
        most = max(topic.per_day().values(), default=0)
        out.print()
        out.print(Text(topic.id, style="bold"))
        out.print(
            f"  {counted(len(topic.alerts), 'alert')} ({len(topic.alerts) / days:.1f} a day, at "
            f"most {most}), {counted(topic.updates, 'update')}; "
            f"{counted(topic.fired, 'story')} at or over the threshold of {topic.line:.2f}",
        )
        if silent := ", ".join(f"{n:,} {why}" for why, n in topic.silent.most_common()):
            out.print(Text(f"  matched without an alert: {silent}", style="dim"))
        shown = topic.alerts if len(result.topics) == 1 else topic.alerts[-_LISTED:]
        for case in shown:
            _print_case(out, "fires", case)
        if len(shown) < len(topic.alerts):
            out.print(f"  and {len(topic.alerts) - len(shown)} before; --topic {topic.id} has all")
        below = topic.nearest()[1]
        if below:
            out.print(Text(f"  ------ {topic.line:.2f} just under the threshold", style="dim"))
        for case in below[:3]:
            _print_case(out, "quiet", case, dim=True)
    if differences is None:
        return
    out.print()
    if not differences:
        out.print("Against the other configuration: the same alerts.")
    for one in differences:
        out.print(Text(f"{one.topic}: +{len(one.added)} alerts, −{len(one.removed)}", style="bold"))
        for mark, cases in (("+", one.added), ("−", one.removed)):
            for case in cases[:20]:
                out.print(Text(f"  {mark} {case.score:.2f}  {one_line(case.title)}"))
            if len(cases) > 20:
                out.print(f"  {mark} and {len(cases) - 20} more; --json lists them all")


def _print_case(out: Console, word: str, case: Case, *, dim: bool = False) -> None:
    """Print one story on a line of its own; its address opens from the headline."""
    from rich.text import Text

    from monitor.analysis.backtest import day_of
    from monitor.delivery.formatting import link
    from monitor.text import one_line

    line = Text(f"  {word}  {case.score:.2f}  {day_of(case.at)}  ", style="dim" if dim else "")
    url = link(case.url)
    line.append(one_line(case.title), style=f"link {url}" if url else "")
    if case.outlet:
        line.append(f"  {one_line(case.outlet)}", style="green")
    out.print(line)


def _page(result: Backtest, differences: Sequence[Difference] | None) -> dict[str, Any]:
    from monitor.analysis.backtest import day_of

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
                "list": [(day_of(case.at), case) for case in reversed(topic.alerts)],
                "silent": topic.silent.most_common(),
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
