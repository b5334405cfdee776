"""The terminal: one notification as a few lines that read well at a glance. Pure.

Everything is built as `rich.text.Text`, never as markup: a headline cannot colour, move or clear
anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from monitor.delivery import formatting
from monitor.model import Alert, Notification
from monitor.text import counted, one_line, span

_STYLE = {"critical": "bold red", "high": "bold yellow", "normal": "bold cyan", "low": "bold"}
_MARK = {"critical": "▲", "high": "●", "normal": "●", "low": "○"}


def alert_lines(notification: Notification, now: float, zone: str = "UTC") -> RenderableType:
    """Return what the terminal shows for `notification` at `now` (Unix seconds), in `zone`."""
    if notification.alert is not None:
        return _alert(notification, notification.alert, now, zone)
    if notification.alerts:
        head = Text(f"≡ {formatting.digest_title(notification, zone)}", style="bold")
        more = [Text(f"    {one_line(notification.more, 500)}")] if notification.more else []
        return Group(head, *_listed(notification.alerts, now, zone), *more, Text(""))
    first, *rest = formatting.notice_lines(notification)
    below = [Text(f"  {line}") for line in rest]
    return Group(Text(f"! {first}", style="yellow"), *below, Text(""))


def render_terminal_summary(
    feeds: int, topics: int, stories: int, matches: Sequence[Alert], now: float, show: int = 8
) -> RenderableType:
    """Return the first run's answer: what is watched, and what of it is out there already.

    Args:
        feeds: how many feeds are watched.
        topics: how many topics.
        stories: how many stories those feeds already held.
        matches: those of them that match, as if they were alerts.
        now: the present instant, Unix seconds.
        show: how many to list; the rest is counted.
    """
    line = Text("watching ")
    line.append(counted(feeds, "feed"), "bold").append(", ").append(
        counted(topics, "topic"), "bold"
    )
    line.append(f"; {counted(stories, 'story')} already out there")
    ranked = sorted(matches, key=lambda alert: -alert.score)
    if not ranked:
        line.append(", none of them matches. Live alerts follow.")
        return Group(line, Text(""))
    verb = "matches" if len(ranked) == 1 else "match"
    these = "this one" if len(ranked) == 1 else "these"
    line.append(", ").append(f"{len(ranked)} of them {verb}", "bold").append(f", {these}:")
    parts: list[RenderableType] = [line, *_listed(ranked[:show], now)]
    if len(ranked) > show:
        parts.append(Text(f"  … and {len(ranked) - show} more", style="dim"))
    parts.append(Text("Live alerts follow as they happen.\n", style="dim"))
    return Group(*parts)


def _alert(notification: Notification, alert: Alert, now: float, zone: str) -> RenderableType:
    style = _STYLE.get(alert.urgency, _STYLE["normal"])
    update = notification.kind == "update"
    head = Text("↳ " if update else f"{_MARK.get(alert.urgency, '●')} ", style=style)
    head.append(formatting.topic(alert), style=style)
    head.append(f"  {formatting.status_line(alert)}", style="dim")
    if alert.urgency in ("critical", "high") and not update:
        head.append(f"  {alert.urgency}", style=style)
    url = formatting.link(alert.story.url)
    title = Text(formatting.headline(alert), style=f"bold link {url}" if url else "bold")
    byline = Text(f"{formatting.byline(alert)}", style="green")
    published = alert.story.published or alert.story.seen_at
    if published > 0:
        byline.append(f" · {span(now - published)} ago", style="dim")
    if url:
        byline.append(f" · {url if len(url) <= 120 else url[:119] + '…'}", style="dim")
    lines: list[RenderableType] = [title, byline]
    lines += [Text(line) for line in formatting.below_headline(alert)]
    runs = formatting.quote(alert, update=update)
    if runs:
        quote = Text("", style="italic")
        for text, hit in runs:
            quote.append(text, style="not italic bold yellow" if hit else "")
        lines.append(Padding(quote, (0, 0, 0, 2), expand=False))
    grounds = formatting.sources_line(alert)
    if not update:
        grounds += f" · {formatting.why_line(alert)}"
    lines.append(Text(grounds, style="dim"))
    receipt = " → ".join(
        f"{word} {formatting.clock(at, zone)}" for word, at in formatting.times(alert)
    )
    if receipt:
        lines.append(Text(receipt, style="dim"))
    indent = 4 if update else 2
    return Group(
        Padding(head, (0, 0, 0, indent - 2), expand=False),
        Padding(Group(*lines), (0, 0, 1, indent), expand=False),
    )


def _listed(alerts: Sequence[Alert], now: float, zone: str = "UTC") -> list[RenderableType]:
    lines: list[RenderableType] = []
    for name, happenings in formatting.by_topic(alerts):
        lines.append(Text(f"  {name}", style="cyan"))
        for listed in happenings:
            alert = listed.alert
            line = Text("• ")
            line.append(one_line(formatting.headline(alert), 140), style="bold")
            line.append(f"  {formatting.byline(alert)}", style="green")
            published = alert.story.published or alert.story.seen_at
            if published > 0:
                line.append(f" · {span(now - published)} ago", style="dim")
            if listed.also:
                line.append(f" · also {', '.join(listed.also)}", style="dim")
            if said := formatting.language_line(alert):
                line.append(f" · {one_line(said, 200)}", style="dim")
            lines.append(Padding(line, (0, 0, 0, 4), expand=False))
            for new in listed.lines:
                words = Text(new.words(zone), style="italic")
                lines.append(Padding(words, (0, 0, 0, 6), expand=False))
    return lines
