"""`wirewatch explain`: the whole way of one story, from the feed to the receipts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
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
from monitor.reasons import SuppressionReason

if TYPE_CHECKING:
    from monitor.config.schema import Config


# Who decided a score (`Match.judged`); what earlier releases decided does not say.
BY = {
    "judge": "",
    "encoder": ", by the encoder alone: no judge answered",
    "screened": "",
    "agreed": ", and your language model agrees",
    "language_model": ", held back by your language model",
}
FAR = 5  # topics below their threshold that are listed unless --all asks for the rest


@click.command()
@click.argument("story")
@config_option
@click.option(
    "--all", "every", is_flag=True, help="List every topic, however far from its threshold."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def explain(story: str, config_dir: Path, every: bool, as_json: bool) -> None:
    """Show why STORY (an address or a story's id) was told, or was not.

    First the verdict and what became of each notification: sent, silenced by whom, held until
    when. Then why: its feed and times, whether it is a copy, its event, and every topic's score.
    """
    config = load_or_exit(config_dir)
    told = run_async(_explain(config, story))
    if told is None:
        days = config.store.keep_stories / 86400
        fail(
            f"{story}: no such story among those of the last {days:.0f} days. Either no feed has "
            "brought it, or it is still on its way; `wirewatch feeds list` says how the feeds are.",
            code=1,
        )
    if as_json:
        say_json(told)
    else:
        _show(told, every)


async def _explain(config: Config, wanted: str) -> dict[str, Any] | None:
    from monitor.analysis.explain_store import explain as explain_story
    from monitor.cli.words import moment

    async with open_store(config) as (client, keys):
        return await explain_story(client, keys, config, wanted, moment)


def _show(told: dict[str, Any], every: bool) -> None:
    from rich.text import Text

    from monitor.cli.words import moment
    from monitor.config.languages import language_codes, language_name
    from monitor.text import strip_invisible

    out, story, decision = console(), told["story"], told["decision"]

    def line(text: str, style: str = "") -> None:
        out.print(Text(strip_invisible(text).replace("\n", " "), style=style))

    line(story["title"], "bold")
    trust = f" ({story['trust']})" if story.get("trust") else ""
    line(f"{story.get('source', '')}{trust}  {story.get('url', '')}", "dim")
    line(told["verdict"], "bold green" if told["verdict"].startswith("Told") else "bold yellow")
    for row in told["notifications"]:
        line(f"  {row['channel']}: {row['text']}")
    for row in told["waits"]:
        until = f", until {moment(row['until'])}" if row["until"] else ""
        line(f"  {row['topic']}: {row['state'] or 'its event joined another'}{until}")
    line("")
    line(f"story      {story['id']}, {_count(told['passages'], 'passage')}")
    line(f"feed       {story.get('feed_id', '-')}")
    for code in language_codes(story.get("language", ""))[:1]:
        line(f"language   {language_name(code)}")
    line(f"published  {moment(story.get('published', 0))}")
    line(f"seen       {moment(story.get('seen_at', 0))}")
    line(f"decided    {moment(decision.get('at', 0))}")
    if story.get("baseline"):
        line("baseline   it was there before this feed was first read")
    if decision.get("copy_of"):
        line(f"copy       {decision['copy_kind']} of {decision['copy_of']}")
    line(f"event      {decision.get('event')}: {decision.get('why', '')}")
    if decision.get("novelty"):
        line(f"new in it  {decision['novelty']}")
    if decision.get("severity"):
        why = decision.get("severity_grounds")
        line(f"severity   {decision['severity']}{f' ({why})' if why else ''}")
    trusts = [f" ({word})" if word else "" for word in decision.get("trusts", ())]
    names = decision.get("outlets") or decision.get("sources", ())
    named = zip(names, trusts or repeat(""), strict=False)
    line(f"sources    {', '.join(map(''.join, named)) or '-'}")
    _show_topics(told, every, line)
    if len(told["event_stories"]) > 1:
        line("")
        line("stories of this event", "bold")
        for row in told["event_stories"]:
            mark = " (copy)" if row["copy_of"] else ""
            line(f"  {moment(row['seen_at'])}  {row['source']}: {row['title']}{mark}")


def _show_topics(told: dict[str, Any], every: bool, line: Callable[..., None]) -> None:
    """List topics that fired or were held by something, then the nearest; the rest is counted."""
    details = {
        row["topic"]: row["detail"]
        for row in told["decision"].get("suppressions", ())
        if row.get("detail")
    }
    near = [row for row in told["topics"] if row["verdict"] != SuppressionReason.BELOW_THRESHOLD]
    far = [row for row in told["topics"] if row["verdict"] == SuppressionReason.BELOW_THRESHOLD]
    shown = near + (far if every else far[:FAR])
    line("")
    line("topics: score, what it needs, verdict", "bold")
    for row in shown:
        by = BY.get(row.get("by", ""), "")
        line(f"  {row['topic']}  {row['score']:.2f} of {row['line']:.2f}  {row['verdict']}{by}")
        if row.get("moved"):
            line(f"      {row['moved']}", "dim")
        if row.get("second"):
            line(f"      your language model: {row['second']}", "dim")
        if row["topic"] in details:
            line(f"      {details[row['topic']]}", "dim")
        if row in near and row.get("evidence"):
            line(f"      “{row['evidence'][:240]}”", "dim")
    if len(told["topics"]) > len(shown):
        rest = len(told["topics"]) - len(shown)
        line(f"  and {_count(rest, 'topic')} further below; --all lists them", "dim")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
