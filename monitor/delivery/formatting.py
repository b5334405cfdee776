"""The words all channels share: one alert, told in the same few words everywhere. Pure.

Everything here takes hostile text and gives plain text: no control characters, no direction
overrides, one line, bounded length. How it is escaped is each renderer's own business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote as percent_encoded
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import idna

from monitor.english import FUNCTION_WORDS
from monitor.model import Alert, Notification
from monitor.reasons import AlertReason, Severity, Trust
from monitor.sentences import sentences
from monitor.text import counted, one_line, shorten

HEADLINE = 300
EVIDENCE = 420
NOVELTY = 220
LINES = 2  # of a happening in a digest
_DOT = {"critical": "🔴", "high": "🟠", "normal": "🔵", "low": "⚪"}
COLOUR = {"critical": "#c4314b", "high": "#c8701a", "normal": "#2a6fbb", "low": "#7a828c"}
_REASON = {AlertReason.FIRST: "first report"}
_WORD = re.compile(r"\w+", re.UNICODE)
_TERM = re.compile(r"\w+\*?", re.UNICODE)
_CLAIM = re.compile(rf"[(\[（]\s*({'|'.join(Trust)})\s*[)\]）]", re.IGNORECASE)


def headline(alert: Alert) -> str:
    """Return the headline, never empty."""
    return one_line(alert.story.title, HEADLINE) or "(no headline)"


def outlet(alert: Alert) -> str:
    """Return the outlet's name as readers know it, never empty.

    Of a feed that gathers other outlets' reports both are named: "Reuters, by Google News".
    """
    story = alert.story
    if story.outlet and story.source and story.outlet != story.source:
        return f"{one_line(story.outlet, 60)}, by {one_line(story.source, 60)}"
    return one_line(story.source or story.feed_id or urlsplit(story.url).netloc, 60) or "unknown"


def byline(alert: Alert) -> str:
    """Return the outlet with its trust: "Reuters (wire)"; the name alone where that is not known.

    The word is ours: an outlet cannot call itself "X (wire)".
    """
    return with_trust(outlet(alert), alert.story.trust)


def with_trust(name: str, trust: str) -> str:
    """Return "Reuters (wire)", or the name alone where there is no word of trust.

    A name that brings such a word in brackets loses it.
    """
    name = _CLAIM.sub("", name).strip() or "unknown"
    return f"{name} ({trust})" if trust else name


def topic(alert: Alert) -> str:
    """Return the topic's name, never empty, and those of other topics that are told with it."""
    names = (alert.topic_name or alert.topic, *alert.also)
    return one_line(" · ".join(one_line(name, 100) for name in names if name), 300) or "(no topic)"


def dot(urgency: str) -> str:
    """Return the one mark of urgency."""
    return _DOT.get(urgency, _DOT["normal"])


def link(url: str) -> str:
    """Return `url`, percent-encoded, if it is plain http(s) without userinfo; else ""."""
    try:
        parts = urlsplit("".join(char for char in url.strip() if char.isprintable()))
        host = parts.hostname or ""
        port = parts.port
        if parts.scheme not in ("http", "https") or not host or len(url) > 2000:
            return ""
        name = f"[{host}]" if ":" in host else ascii_host(host)
    except (ValueError, UnicodeError):  # idna's errors are Unicode errors
        return ""
    if not re.fullmatch(r"[A-Za-z0-9._\-\[\]:%]+", name):
        return ""
    netloc = f"{name}:{port}" if port else name
    safe = "/:@!$&'()*+,;=~-._?%[]"
    path = percent_encoded(parts.path, safe=safe)
    query = percent_encoded(parts.query, safe=safe)
    done = urlunsplit(
        (parts.scheme, netloc, path, query, percent_encoded(parts.fragment, safe=safe))
    )
    return done if len(done) <= 2000 else ""


def ascii_host(host: str) -> str:
    """Return a host name as DNS has it, by IDNA 2008 as browsers read it (UTS 46): ß stays ß.

    Raises:
        UnicodeError: it is no host name.
    """
    if host.isascii():
        return host.lower()
    return idna.encode(host, uts46=True, transitional=False).decode("ascii")


_AUTOLINK = re.compile(r"(?<=\w):(?=//)|(?<=\bwww)\.|(?<=@)(?=\S)|(?<=[<\[!])(?=\S)|(?<=\])(?=\()")


def inert(text: str) -> str:
    """Return a feed's words so that no service makes a mention, a link or a command of them.

    A zero-width space parts what services look for (`@everyone`, `<!here>`, `[text](url)`,
    `https://`); readers see no difference.
    """
    return _AUTOLINK.sub(lambda found: f"{found[0]}\u200b", text)


def clock(at: float, zone: str = "UTC") -> str:
    """Return an instant as "14:03:09 UTC", in the zone of its readers; "?" for 0."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%H:%M:%S %Z") if at > 0 else "?"


def day_clock(at: float, zone: str = "UTC") -> str:
    """Return an instant as "5 Jan 2026, 14:03 UTC", in the zone of its readers."""
    moment = datetime.fromtimestamp(at, ZoneInfo(zone))
    return f"{moment.day} {moment:%b %Y, %H:%M %Z}"


def day(at: float, zone: str = "UTC") -> str:
    """Return the day of an instant as "Thu 1 Jan"."""
    moment = datetime.fromtimestamp(at, ZoneInfo(zone))
    return f"{moment:%a} {moment.day} {moment:%b}"


def outlets(alert: Alert) -> list[str]:
    """Return the names of the outlets that report it, as readers know them, one for each source.

    Where only the owner of one is known and it is the story's own, the story's outlet stands.
    """
    names = alert.outlets or tuple(
        outlet(alert) if owner == alert.story.owner or len(alert.sources) == 1 else owner
        for owner in alert.sources
    )
    trusts = (*alert.trusts, *("" for _ in names))
    named = zip((one_line(name, 40) for name in names), trusts, strict=False)
    return [with_trust(name, trust) for name, trust in named if name]


def desk_link(notification: Notification, desk: str) -> str:
    """Return the desk's page on an alert's event (of a digest: its first page), or "".

    A page and not an act: mail programs and their scanners open every link they see.
    """
    if not desk or not (notification.alert or notification.alerts):
        return ""
    page = f"events/{percent_encoded(notification.alert.event)}" if notification.alert else ""
    return link(f"{desk.rstrip('/')}/{page}")


def sources_line(alert: Alert) -> str:
    """Return "3 independent sources: BBC, Reuters, Ukrinform", and copies if there are any."""
    names = outlets(alert)
    count = max(len(names), 1)
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    head = "1 source" if count == 1 else f"{count} independent sources"
    line = f"{head}: {shown}" if shown and count > 1 else head
    copies = alert.story_count - count
    return f"{line} · {alert.story_count} stories" if copies > 0 else line


def why_line(alert: Alert) -> str:
    """Return why it matched, in a few words."""
    parts = []
    if alert.terms:
        words = ", ".join(one_line(term, 30).replace("*", "…") for term in alert.terms[:6])
        parts.append(words)
    if alert.nearest:
        parts.append(f"close to “{one_line(alert.nearest, 80)}”")
    parts.append(f"score {percent(alert.score)}, threshold {percent(alert.line)}")
    return " · ".join(parts)


def percent(score: float) -> str:
    """Return a score from 0 to 1 as "83%"."""
    return f"{round(100 * score)}%"


def times(alert: Alert) -> list[tuple[str, float]]:
    """Return the latency receipt: (word, instant), left out where unknown."""
    story = alert.story
    steps = (("published", story.published), ("seen", story.seen_at), ("alerted", alert.decided_at))
    return [(word, at) for word, at in steps if at > 0]


def status_line(alert: Alert) -> str:
    """Return what reason and severity add: "first report", "major · corroborated · 5 sources".

    Severity is named from notable up.
    """
    count = len(alert.sources)
    grave = Severity.rank(alert.severity) >= Severity.rank(Severity.NOTABLE)
    words = [alert.severity] if grave else []
    words += [_REASON.get(alert.reason, str(alert.reason))] + (
        [f"{count} sources"] if count > 1 else []
    )
    return " · ".join(words)


def urgent_word(alert: Alert) -> str:
    """Return "CRITICAL" for a critical alert, else ""."""
    return "CRITICAL" if alert.urgency == "critical" else ""


def corrected_line(alert: Alert) -> str:
    """Return what a correction took back: "Corrected. Before: “…”", or ""."""
    return f"Corrected. Before: “{one_line(alert.was, HEADLINE)}”" if alert.was else ""


def below_headline(alert: Alert) -> list[str]:
    """Return the lines under a headline: language, what it took back, our note, a recap."""
    note = one_line(alert.note, HEADLINE)
    note = note[:1].upper() + note[1:]
    lines = (language_line(alert), corrected_line(alert), note, recap_line(alert))
    return [line for line in lines if line]


def recap_line(alert: Alert) -> str:
    """Return what a language model made of the event, and from whom; "" where none was asked."""
    if not alert.recap:
        return ""
    names = [one_line(name, 40) for name in alert.recap_of]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    said = one_line(alert.recap, HEADLINE)
    return f"So far, by a language model from {shown or 'its reports'}: {said}"


def language_line(alert: Alert) -> str:
    """Return the story's language and what the headline says in ours; "" where we read it.

    "Ukrainian: “Drones hit a port” (Port Gazette)".
    """
    if not alert.foreign:
        return ""
    if not alert.gist:
        return f"In {one_line(alert.foreign, 40)}"
    said = f"“{one_line(alert.gist, HEADLINE)}” ({one_line(alert.gist_from, 60) or 'a report'})"
    return f"In {one_line(alert.foreign, 40)}: {said}"


def lede(alert: Alert) -> str:
    """Return how the story begins: its first sentence, without the headline; "" without a text."""
    story = alert.story
    title = headline(alert)
    for text in (story.summary, story.body):
        line = one_line(text)
        if line.startswith(title):
            line = line[len(title) :].lstrip(" .:–—-|")
        if len(line) > 20 and line != title:
            return shorten(sentences(line)[0], EVIDENCE)
    return ""


def quote(alert: Alert, *, update: bool = False) -> list[tuple[str, bool]]:
    """Return what an alert quotes as runs of (text, marked); [] if the story has but a headline.

    That is what is new in an update, else how the story begins, and the passage that matched where
    that is another one. Marked are the topic's own terms where they stand, else the words that the
    text shares with the phrase of the topic nearest to it.
    """
    title, begins = headline(alert), lede(alert)
    found = one_line(alert.novelty if update and alert.novelty else alert.evidence, EVIDENCE)
    if title.startswith(found):
        found = ""
    if not found or found.startswith(begins) or begins.startswith(found):
        text = max(found, begins, key=len)
    elif update:
        text = found
    else:
        text = f"{begins} […] {found}"
    return marked(text, alert.terms, f"{alert.nearest} {alert.topic_name}") if text else []


def marked(text: str, terms: Sequence[str], phrase: str) -> list[tuple[str, bool]]:
    """Split `text` into runs and mark `terms` (`word*` by prefix), else words shared with `phrase`.

    The runs joined are `text` again.
    """
    spans: list[tuple[int, int]] = []
    for term in terms:
        wanted = _TERM.findall(one_line(term, 80).casefold())
        if wanted:
            spans.extend(_places(text, wanted))
    if not spans:
        stems = {word.casefold()[:6] for word in _WORD.findall(phrase) if _telling(word)}
        spans = [
            match.span()
            for match in _WORD.finditer(text)
            if _telling(match[0]) and match[0].casefold()[:6] in stems
        ]
    runs: list[tuple[str, bool]] = []
    at = 0
    for start, end in sorted(spans):
        if start < at:
            continue
        runs += [(text[at:start], False)] if start > at else []
        runs.append((text[start:end], True))
        at = end
    return runs + ([(text[at:], False)] if at < len(text) else [])


def _telling(word: str) -> bool:
    return len(word) >= 4 and word.casefold() not in FUNCTION_WORDS


def _places(text: str, wanted: list[str]) -> list[tuple[int, int]]:
    words = list(_WORD.finditer(text))
    places = []
    for start in range(len(words) - len(wanted) + 1):
        pairs = zip(words[start : start + len(wanted)], wanted, strict=True)
        if all(
            found[0].casefold().startswith(word[:-1])
            if word.endswith("*")
            else found[0].casefold() == word
            for found, word in pairs
        ):
            places.append((words[start].start(), words[start + len(wanted) - 1].end()))
    return places


def notice_lines(notification: Notification, limit: int = 3000) -> list[str]:
    """Return the lines of a notice, at most `limit` characters in all; never empty."""
    lines: list[str] = []
    for raw in notification.notice.splitlines():
        line = one_line(raw, limit)
        if line and limit > 0:
            lines.append(line)
            limit -= len(line) + 1
    return lines or ["Wirewatch"]


def subject(notification: Notification) -> str:
    """Return one line that says it all: for subjects, and where a screen shows one line only."""
    alert = notification.alert
    if notification.listed:
        return digest_title(notification)
    if alert is None:
        return shorten(notice_lines(notification)[0], 150)
    return one_line(f"{topic(alert)}: {one_line(alert.gist, HEADLINE) or headline(alert)}", 180)


def by_topic(alerts: Sequence[Alert]) -> list[tuple[str, list[Listed]]]:
    """Return `(topic, happenings)` in the order given; each happening stands once.

    It stands under the topic of its best alert, and names the others.
    """
    events: dict[str, list[Alert]] = {}
    for alert in alerts:
        events.setdefault(alert.event or alert.id, []).append(alert)
    topics: dict[str, list[Listed]] = {}
    for of_event in events.values():
        best = of_event[0]
        also = dict.fromkeys(topic(other) for other in of_event[1:] if topic(other) != topic(best))
        topics.setdefault(topic(best), []).append(Listed(best, tuple(also), tuple(of_event)))
    return list(topics.items())


@dataclass(frozen=True, slots=True)
class Listed:
    """A happening in a digest: its best alert, the other topics it matches, and all its alerts."""

    alert: Alert
    also: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = ()

    @property
    def status(self) -> str:
        """What the reason adds, and the other topics."""
        also = f" · also {', '.join(self.also)}" if self.also else ""
        count = len(self.alerts)
        more = f" · {count} alerts" if count - len(self.also) > 1 else ""
        return f"{status_line(self.alert)}{more}{also}"

    @property
    def lines(self) -> list[NewLine]:
        """What is new in it, in the stories' own words, oldest first; the last `LINES` of them."""
        title = headline(self.alert)
        found: dict[str, NewLine] = {}
        for alert in sorted(self.alerts, key=lambda one: (one.decided_at, one.id)):
            text = one_line(alert.novelty, NOVELTY)
            if text and not title.startswith(text.removesuffix("…")):
                at = alert.story.published or alert.story.seen_at
                found.setdefault(text, NewLine(at, outlet(alert), text))
        return list(found.values())[-LINES:]


@dataclass(frozen=True, slots=True)
class NewLine:
    """What one story added: "14:05 Reuters: “…”"."""

    at: float
    outlet: str
    text: str

    def words(self, zone: str = "UTC") -> str:
        """Return it as one line, its time in the zone of its readers."""
        when = f"{datetime.fromtimestamp(self.at, ZoneInfo(zone)):%H:%M} " if self.at > 0 else ""
        return f"{when}{self.said}"

    @property
    def said(self) -> str:
        """Who said what, without the time."""
        return f"{self.outlet}: “{self.text}”"


def digest_title(notification: Notification, zone: str = "UTC") -> str:
    """Return a digest's title: what it is, the day, its topics, and how much there is."""
    listed = by_topic(notification.alerts)
    names = [name for name, _ in listed]
    some = ", ".join(names[:3]) + (
        f" and {counted(len(names) - 3, 'more topic')}" if names[3:] else ""
    )
    count = counted(sum(len(items) for _, items in listed), "alert")
    what = one_line(notification.notice, 100) or "Digest"
    when = f", {day(notification.created_at, zone)}" if notification.created_at else ""
    return one_line(f"{what}{when}: {some} ({count})", 180)
