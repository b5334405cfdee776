"""Alerts as an enemy would send them: any Unicode, any length, every trick in a headline."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from monitor.model import Alert, Notification
from monitor.reasons import AlertReason
from tests.support.alerts import FIRST

TRICKS = [
    "<!channel> wake up",
    "<!here|quiet> <@U024BE7LH>",
    "<https://evil.example|BBC> &lt;!everyone&gt;",
    "*bold* _it_ ~no~ `code` ```pre``` :tada:",
    "line\r\nBcc: everyone@example.org\r\n\r\nbody",
    "Subject: x\nX-Evil: 1",
    "\u202egnp.exe\u202c \u2066hidden\u2069 \u200b",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{ 7*7 }} {% raw %} ${HOME} %s {0}",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07click\x1b]8;;\x07 \x00\x08\x7f",
    "[bold red]markup[/] [link=http://evil.example]x[/link]",
    "=?utf-8?q?encoded?=",
    "e\u0301" * 500,
    "👩‍👩‍👧‍👦" * 200,
    "ا" * 4000,
    "x" * 60_000,
    "",
    " ",
]
URLS = [
    "javascript:alert(1)",
    "https://user:secret@news.example.org/a",
    "https://news.example.org/a|b>c<d \"e' f",
    "https://пример.example/путь?q=ж",
    "http://[::1]:8000/x",
    "https://news.example.org/%7Bok%7D?a=1&b=2#top",
    "ftp://example.org/x",
    "https://",
    "https://example.org:99999/",
    "https://example.org/" + "a" * 5000,
    "HTTPS://EXAMPLE.ORG/\r\nBcc: x@example.org",
    "",
]

any_text = st.one_of(
    st.sampled_from(TRICKS),
    st.text(max_size=80),
    st.builds(lambda a, b: a + b, st.sampled_from(TRICKS), st.text(max_size=40)),
)
urls = st.one_of(
    st.sampled_from(URLS), st.text(max_size=40).map(lambda t: "https://a.example/" + t)
)


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    """Draw an alert whose every text is hostile; ids stay ours."""
    story = replace(
        FIRST.story,
        title=draw(any_text),
        url=draw(urls),
        source=draw(any_text),
        language=draw(st.sampled_from(["", "en", "uk", '"><script>'])),
        published=draw(st.sampled_from([0.0, FIRST.story.published])),
    )
    return replace(
        FIRST,
        id=f"a-{draw(st.integers(0, 10**9))}",
        event=f"e{draw(st.integers(0, 5))}",
        topic_name=draw(any_text),
        reason=draw(st.sampled_from(AlertReason)),
        story=story,
        evidence=draw(any_text),
        nearest=draw(any_text),
        novelty=draw(any_text),
        note=draw(any_text),
        terms=tuple(draw(st.lists(any_text, max_size=8))),
        sources=tuple(draw(st.lists(any_text, max_size=12))),
        story_count=draw(st.integers(0, 500)),
        urgency=draw(st.sampled_from(["low", "normal", "high", "critical", "odd"])),
    )


@st.composite
def notifications(draw: st.DrawFn) -> Notification:
    """Draw an alert, an update, a digest of up to twenty, or a notice."""
    kind = draw(st.sampled_from(["alert", "update", "digest", "notice"]))
    if kind == "digest":
        many = draw(st.lists(alerts(), min_size=1, max_size=20))
        title = draw(any_text)
        return Notification("d@x", "x", "digest", alerts=tuple(many), notice=title, created_at=1.0)
    if kind == "notice":
        return Notification("n@x", "x", "notice", notice=draw(any_text), created_at=1.0)
    one = draw(alerts())
    return Notification(f"{one.id}@x", "x", kind, alert=one, created_at=1.0)
