"""How alerts look: golden files for people to read, and properties no headline can break."""

from __future__ import annotations

import email
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from email.policy import default
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from monitor.config.schema import EmailChannel
from monitor.delivery import formatting
from monitor.delivery.channels import email_message, slack_blocks
from monitor.delivery.channels.terminal_text import alert_lines, render_terminal_summary
from monitor.model import Alert, Notification, Thread
from monitor.reasons import AlertReason
from tests.delivery.hostile import TRICKS, alerts, any_text, notifications, urls
from tests.support.alerts import FIRST, NOW, UPDATE, alert, note
from tests.support.examples import examples
from tests.support.slack_rules import check_message, links, mentions, shown_text

MAIL = EmailChannel.model_validate(
    {
        "type": "email",
        "host": "mail.example.org",
        "from": "Wirewatch <alerts@example.org>",
        "to": ["World Desk <desk@example.org>", "night@example.org"],
        "unsubscribe": "https://example.org/unsubscribe",
    }
)
THREAD = Thread("<1234.wirewatch@example.org>", FIRST, "US–Russia Ukraine talks: Envoys meet")
CRITICAL = replace(
    alert("strike", urgency="critical"),
    topic_name="Energy infrastructure strikes",
    terms=(),
    evidence="Two substations near the river port lost power after strikes on the grid.",
    nearest="Strikes on power plants and the grid",
)
DIGEST = Notification(
    "digest-1@world",
    "world",
    "digest",
    alerts=(CRITICAL, FIRST, UPDATE, alert("third", topic_name="Trade tariffs", urgency="low")),
    notice="Held during quiet hours",
    created_at=NOW,
)
NOTICE = Notification(
    "n@world", "world", "notice", notice="Feed example-world is silent.", created_at=NOW
)
MISSED = replace(
    NOTICE,
    id="missed-1@world",
    notice="What we missed: of 42 happenings 30 told, 2 held, 4 below the threshold, 6 never "
    "seen.\n"
    "Never seen · major: Dam fails above Northport; 300 homes evacuated (Coast Radio had it, and "
    "no feed of it is watched)\n"
    "Below the threshold: Ferry fares <rise> in spring (ferries: 0.30 of the 0.50 it needs)\n"
    "and 10 more",
)
SPIKE = replace(
    alert("spike"),
    reason=AlertReason.SPIKE,
    severity="major",
    story=replace(FIRST.story, source="Harbour Wire (wire)", trust="wire"),
    note="6 independent stories, usually 0.3 in two hours; 4 of them on this happening",
    sources=("Harbour Wire", "Coast Radio", "Northport TV"),
    outlets=("Harbour Wire", "Coast Radio", "Northport TV"),
    trusts=("wire", "local", "unknown"),
)
EXAMPLES = {
    "first": note(FIRST, "world"),
    "update": note(UPDATE, "world", "update"),
    "correction": note(replace(UPDATE, reason=AlertReason.CORRECTION), "world", "update"),
    "critical": note(CRITICAL, "world"),
    "digest": DIGEST,
    "notice": NOTICE,
    "missed": MISSED,
    "spike": note(SPIKE, "world"),
}

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", EXAMPLES)
def test_block_kit_reads_as_it_should(name: str, golden: Golden) -> None:
    """The Block Kit message of each kind is as the golden file has it, within Slack's limits."""
    message = slack_blocks.message(EXAMPLES[name], buttons=True)
    assert check_message(message) == []
    golden(f"slack_{name}.json", json.dumps(message, indent=1, ensure_ascii=False) + "\n")


def test_an_edited_first_message_reads_as_it_should(golden: Golden) -> None:
    """After an update the first message shows the new count of sources and stories."""
    message = slack_blocks.edited(THREAD, UPDATE)
    assert message is not None and check_message(message) == []
    golden("slack_edited.json", json.dumps(message, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("name", EXAMPLES)
def test_mail_reads_as_it_should(name: str, golden: Golden) -> None:
    """The e-mail of each kind is, byte for byte, as the golden file has it."""
    thread = THREAD if EXAMPLES[name].kind == "update" else None
    mail = email_message.message(EXAMPLES[name], MAIL, now=NOW, thread=thread)
    golden(f"mail_{name}.eml", mail.as_bytes().decode("ascii").replace("\r\n", "\n"))


def test_the_terminal_reads_as_it_should(golden: Golden) -> None:
    """What a newcomer sees: an alert, its update, a digest, and the first summary."""
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False)
    for item in EXAMPLES.values():
        console.print(alert_lines(item, NOW))
    console.print(render_terminal_summary(28, 5, 412, [CRITICAL, FIRST], NOW))
    console.print(render_terminal_summary(1, 1, 0, [], NOW))
    golden("terminal.txt", "\n".join(line.rstrip() for line in out.getvalue().split("\n")))


@given(notifications(), st.booleans())
@examples(150)
def test_slack_takes_whatever_a_feed_may_say(item: Notification, buttons: bool) -> None:
    """No headline makes a message that Slack refuses, a mention, or a link we did not build."""
    message = slack_blocks.message(item, buttons=buttons)
    assert check_message(message) == []
    assert mentions(message) == []
    ours = {formatting.link(a.story.url) for a in (item.alert, *item.alerts) if a}
    assert set(links(message)) <= ours
    json.dumps(message, allow_nan=False).encode("utf-8")


@given(alerts(), alerts())
@examples(60)
def test_slack_takes_every_edit(first: Alert, latest: Alert) -> None:
    """Bringing a hostile first message up to date stays within the same limits."""
    message = slack_blocks.edited(Thread("C1:1.0", first), latest, buttons=True)
    assert message is None or check_message(message) == []


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.hrefs: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.hrefs.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


_HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe",
    "List-Unsubscribe-Post", "Auto-Submitted", "X-Auto-Response-Suppress", "In-Reply-To",
    "References", "X-Wirewatch-Notification", "Importance", "MIME-Version", "Content-Type",
}  # fmt: skip


@given(notifications(), any_text)
@examples(80)
def test_no_headline_breaks_a_mail(item: Notification, subject: str) -> None:
    """No header, link, script or second part gets into a mail from a feed; lines stay short."""
    thread = Thread("<1@example.org>", None, subject) if item.kind == "update" else None
    raw = email_message.message(item, MAIL, now=NOW, thread=thread).as_bytes()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    mail = email.message_from_bytes(raw, policy=default)
    assert set(mail.keys()) <= _HEADERS and len(mail.keys()) == len(set(mail.keys()))
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert mail["To"].addresses[0].addr_spec == "desk@example.org"
    seen = _Links()
    seen.feed(mail.get_body(("html",)).get_content())
    assert not seen.tags & {"script", "img", "iframe", "object", "form", "base", "link"}
    assert not seen.handlers
    ours = {formatting.link(a.story.url) for a in (item.alert, *item.alerts) if a}
    assert set(seen.hrefs) <= ours | {"https://example.org/unsubscribe"}


@given(notifications())
@examples(80)
def test_no_headline_reaches_the_terminal_itself(item: Notification) -> None:
    """Nothing printed holds a control character but line breaks, nor is it taken for markup."""
    out = io.StringIO()
    Console(file=out, width=100, highlight=False).print(alert_lines(item, NOW))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out.getvalue())


@given(urls)
@examples(200)
def test_links_are_plain_or_absent(url: str) -> None:
    """A link is plain http(s) without userinfo and without characters that end a link."""
    made = formatting.link(url)
    assert made == "" or re.fullmatch(r"https?://[^\s<>|\"@\x00-\x1f/?#]+[^\s<>|\"]*", made)
    assert formatting.link(made) == made


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("https://straße.example/x", "https://xn--strae-oqa.example/x"),
        ("https://BÜCHER.example/", "https://xn--bcher-kva.example/"),
        ("https://faß.example/?q=ß", "https://xn--fa-hia.example/?q=%C3%9F"),
    ],
)
def test_hosts_are_read_as_browsers_read_them(url: str, made: str) -> None:
    """Names beyond ASCII follow IDNA 2008: another reading would lead to another host."""
    assert formatting.link(url) == made


@given(any_text, st.lists(any_text, max_size=5), any_text)
@examples(100)
def test_marking_changes_no_letter(text: str, terms: list[str], phrase: str) -> None:
    """However words are marked, the runs joined are the text again."""
    line = formatting.one_line(text, 400)
    assert "".join(run for run, _ in formatting.marked(line, terms, phrase)) == line


@pytest.mark.parametrize(
    ("terms", "hits"),
    [
        (("talks",), ["talks"]),
        (("prisoner*",), ["prisoners"]),
        (("exchange of prisoners",), ["exchange of prisoners"]),
        ((), ["talks"]),
    ],
)
def test_the_words_that_matched_are_marked(terms: tuple[str, ...], hits: list[str]) -> None:
    """Marked are the topic's terms, by word, prefix or phrase; without any, words of the topic."""
    text = "Officials said the talks would open with an exchange of prisoners."
    marked = formatting.marked(text, terms, "Rubio and Lavrov meet for talks")
    assert [run for run, hit in marked if hit] == hits


def test_mail_threads_and_names_itself() -> None:
    """An update answers the first mail, keeps its subject, and every try has one Message-ID."""
    first = email_message.message(EXAMPLES["first"], MAIL, now=NOW)
    again = email_message.message(EXAMPLES["first"], MAIL, now=NOW + 60, resend=True)
    thread = Thread(first["Message-ID"], FIRST, first["Subject"])
    reply = email_message.message(EXAMPLES["update"], MAIL, now=NOW, thread=thread)
    assert again["Message-ID"] == first["Message-ID"] and again["X-Wirewatch-Resent"]
    assert reply["In-Reply-To"] == reply["References"] == first["Message-ID"]
    assert reply["Subject"] == f"Re: {first['Subject']}"
    assert first["List-Id"] == "<us-russia-talks.wirewatch.example.org>"
    assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert first["Auto-Submitted"] == "auto-generated"


def test_every_trick_is_shown_as_words() -> None:
    """A headline full of tricks is still readable as what it is: words."""
    for trick in TRICKS:
        item = note(replace(FIRST, story=replace(FIRST.story, title=trick)), "world")
        shown = shown_text(slack_blocks.message(item))
        assert formatting.headline(item.alert) in shown
