"""`wirewatch missed`: an outside list of happenings against what the service saw and told."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
)

if TYPE_CHECKING:
    from monitor.config.schema import Config
    from monitor.editors.missed import Checked, SeenStory
    from monitor.editors.outside_list import Outside
    from monitor.embedding import Embedder
    from monitor.model import EmbeddedStory, Story, Vector

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_WORDS = {"told": "told", "held": "held", "below": "below", "never_seen": "never seen"}


@click.command()
@click.argument("happenings")
@config_option
@click.option("--since", default="24h", show_default=True, help="How far back: 24h, 7d.")
@click.option(
    "--replay",
    "replayed",
    type=(_FILE, _FILE),
    metavar="STORIES DECISIONS",
    help="Compare with a replay: its stories and what --out wrote, over all days of the list.",
)
@click.option("--out", type=OutputFile(), help="Write a row for each happening here (TSV).")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--notify", metavar="CHANNEL", help="Also send the outcome to this channel.")
def missed(
    happenings: str,
    config_dir: Path,
    since: str,
    replayed: tuple[Path, Path] | None,
    out: Path | None,
    as_json: bool,
    notify: str | None,
) -> None:
    """Say what became of each happening of an outside list: HAPPENINGS is a file or a feed.

    The list may be the desk's own feed, a wire's, or what an encyclopaedia's editors noted: the
    address of a feed, a feed in a file, or a table (day, text, subject, link; parted by tabs).
    Each is told, held (by what), below (which topic came nearest) or never seen.
    """
    from monitor.analysis.missed_report import compare
    from monitor.analysis.offline import load_encoder, severity_reader
    from monitor.config.value_types import parse_duration
    from monitor.embedding import embed_stories, pair_judge

    config = load_or_exit(config_dir, secrets=bool(notify))
    try:
        back = parse_duration(since)
    except ValueError as error:
        fail(f"--since: {error}")
    if notify and (replayed or notify not in config.channels):
        fail(f"--notify: {notify} is no channel of wirewatch.yaml, or --replay was given")
    outside = _read(happenings, config)
    encoder = load_encoder(config.embedding)
    severity = severity_reader(encoder)

    def encode(stories: Sequence[Story]) -> list[EmbeddedStory]:
        found = embed_stories(encoder, stories, 1)
        return severity.over(found) if severity else found

    if replayed is None:
        outside, found = run_async(_stored(config, encoder, outside, back))
    else:
        outside, found = _replayed(encoder, outside, *replayed)
    if not outside:
        fail(f"{happenings}: none of its happenings is of these days", code=1)
    judge = pair_judge(encoder)
    score = (lambda one, two: judge.score(one, two).tolist()) if judge else None
    checked = compare(outside, found, encode, score, config.feeds)
    if out is not None:
        out.write_text("".join(f"{line}\n" for line in _rows(checked)), encoding="utf-8")
    if notify:
        run_async(_send(config, notify, checked))
    if as_json:
        click.echo(json.dumps([_plain(one) for one in checked], indent=2, ensure_ascii=False))
    else:
        _show(checked)


def _read(where: str, config: Config) -> list[Outside]:
    from monitor.analysis.missed_report import ListUnreadable, read_list

    try:
        found, faults = run_async(read_list(where, config))
    except ListUnreadable as error:
        fail(str(error), code=1)
    for fault in faults:
        say(f"{where}: {fault}", err=True)
    return found


def _replayed(
    encoder: Embedder, outside: list[Outside], stories: Path, decisions: Path
) -> tuple[list[Outside], list[tuple[SeenStory, Vector]]]:
    """Return the happenings of the replay's days, and its stories."""
    from monitor.analysis.missed_report import vector_of
    from monitor.analysis.replay import embed, read_stories
    from monitor.editors.missed import SeenStory

    lines, problems = read_stories(stories)
    for problem in problems:
        say(str(problem), err=True)
    with decisions.open(encoding="utf-8") as file:
        records = {row["id"]: row for row in map(json.loads, file)}
    known = [line.story for line in lines if line.story.id in records]
    found = [
        (SeenStory(item.story, records[item.story.id]), vector_of(item))
        for item in embed(known, encoder, 1)
    ]
    times = [story.seen_at for story in known]
    inside = [one for one in outside if times and min(times) <= one.at <= max(times)]
    return inside, found


async def _stored(
    config: Config, encoder: Embedder, outside: list[Outside], back: float
) -> tuple[list[Outside], list[tuple[SeenStory, Vector]]]:
    """Return the happenings of the time asked for, and the archived stories around it."""
    import time

    from monitor.analysis.archive import AnalysisStore
    from monitor.analysis.missed_report import archived

    now = time.time()
    async with open_store(config) as (client, _):
        archive = AnalysisStore.of(client, config)
        found = await archived(archive, encoder.fingerprint, now - back, now)
    return [one for one in outside if now - back <= one.at <= now], found


async def _send(config: Config, channel: str, checked: list[Checked]) -> None:
    import time

    from monitor.analysis.missed_report import report
    from monitor.delivery.outbox import OutboxStore
    from monitor.model import Notification

    now = time.time()
    note = Notification(
        id=f"missed-{int(now)}@{channel}",
        channel=channel,
        kind="notice",
        notice=report(checked),
        created_at=now,
        due=now,
    )
    async with open_store(config) as (client, keys):
        await OutboxStore(client, keys).put([note])


def _plain(one: Checked) -> dict[str, Any]:
    return {
        "at": one.outside.at,
        "subject": one.outside.subject,
        "text": one.outside.text,
        "outcome": one.reason.value,
        "severity": one.severity or None,
        "why": one.why,
        "topic": one.topic,
        "story": one.story.id if one.story else None,
        "title": one.story.title if one.story else None,
    }


def _rows(checked: list[Checked]) -> list[str]:
    from monitor.text import one_line

    head = ["at", "subject", "outcome", "why", "text", "story", "title"]
    rows = [_plain(one) for one in checked]
    cells = [[one_line(str(row[name] or ""), 1000) for name in head] for row in rows]
    return ["\t".join(line) for line in (head, *cells)]


def _show(checked: list[Checked]) -> None:
    from rich.table import Table
    from rich.text import Text

    from monitor.editors.missed import counts, suggestions
    from monitor.text import one_line

    out = console()
    table = Table(title=f"{len(checked)} happenings of the list")
    table.add_column("subject")
    for word in _WORDS.values():
        table.add_column(word, justify="right")
    for subject, row in sorted(counts(checked).items(), key=lambda pair: (not pair[0], pair[0])):
        table.add_row(Text(subject or "all"), *(f"{row[name]:,}" for name in _WORDS))
    out.print(table)
    for name, word in list(_WORDS.items())[1:]:
        these = [one for one in checked if one.reason == name]
        if not these:
            continue
        out.print(Text(f"{word} ({len(these)})", style="bold"))
        for one in these[:20]:
            out.print(Text(f"  {one_line(one.outside.text, 160)}"))
            title = f"“{one_line(one.story.title, 100)}”, " if one.story else ""
            if title or one.why:
                out.print(Text(f"      {title}{one.why}", style="dim"))
    for line in suggestions(checked):
        out.print(Text(line, style="dim"))
