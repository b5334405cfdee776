"""E-mail: one notification as a MIME message, plain text first. Pure.

The same notification always gives the same bytes: Message-ID and boundary follow from its id, the
date from its decision. Updates answer the first message (RFC 5322 3.6.4) and keep its subject;
lists are named (RFC 2919), machines marked (RFC 3834), unsubscribing is one click (RFC 8058).
"""

from __future__ import annotations

import hashlib
import textwrap
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from typing import Any

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor.config.mail_addresses import read_mail_address
from monitor.config.schema import EmailChannel
from monitor.delivery import formatting
from monitor.model import Alert, Notification, Thread
from monitor.reasons import AlertReason
from monitor.text import on_page, one_line

_WIDTH = 74
ON_THE_DESK = "Relevant or not, mute, why: on the desk"


def message(
    notification: Notification,
    settings: EmailChannel,
    *,
    now: float,
    thread: Thread | None = None,
    resend: bool = False,
    zone: str = "UTC",
    desk: str = "",
) -> EmailMessage:
    """Return the message, ready to send.

    Args:
        notification: what to tell.
        settings: the channel; its recipients all stand in `To`.
        now: instant for `Date` where the notification has none of its own (Unix seconds).
        thread: the first message, if this is an update.
        resend: an earlier try may have arrived; says so in a header, under the same Message-ID.
        zone: the time zone of the readers.
        desk: address of the desk, to link to; "" for no link.
    """
    sender = address(settings.sender)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = tuple(address(recipient) for recipient in settings.to)
    mail["Subject"] = subject_line(notification, thread, zone)
    at = notification.alert.decided_at if notification.alert else notification.created_at
    mail["Date"] = format_datetime(datetime.fromtimestamp(int(at or now), UTC))
    mail["Message-ID"] = message_id(notification.id, sender)
    if thread is not None and thread.ref:
        mail["In-Reply-To"] = thread.ref
        mail["References"] = thread.ref
    mail["List-Id"] = list_id(notification, settings.list_id_domain or sender.domain)
    if settings.unsubscribe:
        mail["List-Unsubscribe"] = f"<{formatting.link(settings.unsubscribe)}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Wirewatch-Notification"] = one_line(notification.id, 200)
    if notification.alert is not None and notification.alert.urgency == "critical":
        mail["Importance"] = "high"
    if resend:
        mail["X-Wirewatch-Resent"] = "the outcome of an earlier try is unknown"
    where = formatting.desk_link(notification, desk)
    mail.set_content(plain(notification, settings, zone, where), cte="quoted-printable")
    page = html(notification, settings, zone, where)
    mail.add_alternative(page, subtype="html", cte="quoted-printable")
    mail.set_boundary("=_" + hashlib.sha256(notification.id.encode()).hexdigest()[:32])
    return mail


def address(text: str) -> Address:
    """Read "Name <box@host>".

    Raises:
        ValueError: it is no address.
    """
    name, box, domain = read_mail_address(text)
    try:
        return Address(name, box, formatting.ascii_host(domain))
    except (MessageError, UnicodeError, ValueError) as error:
        raise ValueError(f"{text!r} is not an e-mail address: {error}") from error


def message_id(notification_id: str, sender: Address) -> str:
    """Return the Message-ID that belongs to a notification, the same for every try."""
    digest = hashlib.sha256(notification_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"<{digest}.wirewatch@{sender.domain}>"


def subject_line(
    notification: Notification, thread: Thread | None = None, zone: str = "UTC"
) -> str:
    """Return the subject: of an update, that of the first message; of a correction, its own."""
    alert = notification.alert
    if alert is not None and alert.reason is AlertReason.CORRECTION:
        return one_line(f"Correction: {formatting.subject(notification)}", 200)
    if thread is not None and thread.subject:
        return f"Re: {one_line(thread.subject, 200)}"
    if notification.listed:
        return formatting.digest_title(notification, zone)
    line = formatting.subject(notification)
    return f"[critical] {line}" if alert and alert.urgency == "critical" else line


def list_id(notification: Notification, domain: str) -> str:
    """Return List-Id: one list for each topic, one for digests, one for notices."""
    name = notification.alert.topic if notification.alert else notification.kind
    safe = "".join(char if char.isascii() and char.isalnum() else "-" for char in name)[:60]
    return f"<{safe or 'alerts'}.wirewatch.{domain}>"


def plain(
    notification: Notification, settings: EmailChannel, zone: str = "UTC", desk: str = ""
) -> str:
    """Return the plain-text part: short lines, links on lines of their own."""
    if notification.alert is not None:
        lines = _plain_alert(notification, notification.alert, zone)
    elif notification.alerts:
        lines = [*_wrap(formatting.digest_title(notification, zone)), ""]
        for name, happenings in formatting.by_topic(notification.alerts):
            lines += [name, "-" * min(len(name), _WIDTH)]
            for listed in happenings:
                alert = listed.alert
                lines += _wrap(f"* {formatting.headline(alert)}", "  ")
                lines += _wrap(f"  {_byline(alert, zone)} · {listed.status}", "  ")
                if said := formatting.language_line(alert):
                    lines += _wrap(f"  {said}", "  ")
                for new in listed.lines:
                    lines += _wrap(f"  {new.words(zone)}", "  ")
                url = formatting.link(alert.story.url)
                lines += [f"  {url}", ""] if url else [""]
        lines += _wrap(one_line(notification.more, 500)) if notification.more else []
    else:
        lines = [
            wrapped for line in formatting.notice_lines(notification) for wrapped in _wrap(line)
        ]
    lines += ["", f"{ON_THE_DESK}:", desk] if desk else []
    lines += ["", "-- ", footer(notification)]
    if settings.unsubscribe:
        lines.append(f"Unsubscribe: {formatting.link(settings.unsubscribe)}")
    return "\n".join(lines) + "\n"


def html(
    notification: Notification, settings: EmailChannel, zone: str = "UTC", desk: str = ""
) -> str:
    """Return the HTML part, its styles inlined, with rules for dark mode and small screens kept."""
    alert = notification.alert
    page = template().render(
        language=one_line(alert.story.language, 12) if alert and alert.story.language else "en",
        subject=formatting.subject(notification),
        colour=formatting.COLOUR.get(
            alert.urgency if alert else "low", formatting.COLOUR["normal"]
        ),
        alert=_html_alert(notification, alert, zone) if alert else None,
        title=formatting.digest_title(notification, zone) if notification.listed else "",
        topics=[
            (name, [_html_listed(one, zone) for one in happenings])
            for name, happenings in formatting.by_topic(notification.listed)
        ],
        notice=formatting.notice_lines(notification),
        more=one_line(notification.more, 500),
        desk=desk,
        on_the_desk=ON_THE_DESK,
        footer=footer(notification),
        unsubscribe=formatting.link(settings.unsubscribe),
    )
    return _inliner().inline(page)


def footer(notification: Notification) -> str:
    """Return the line that says why one gets this."""
    if notification.alert is not None:
        return f"Wirewatch watches “{formatting.topic(notification.alert)}” for you."
    return "Sent by Wirewatch."


def _plain_alert(notification: Notification, alert: Alert, zone: str) -> list[str]:
    word = f"{formatting.urgent_word(alert)} · " if formatting.urgent_word(alert) else ""
    lines = [f"{word}{formatting.topic(alert)} · {formatting.status_line(alert)}", ""]
    lines += _wrap(formatting.headline(alert))
    url = formatting.link(alert.story.url)
    lines += [url] if url else []
    lines += [_byline(alert, zone)]
    for line in formatting.below_headline(alert):
        lines += _wrap(line)
    lines.append("")
    runs = _runs(notification, alert)
    if runs:
        told = "".join(text for text, _ in runs)
        lines += [*(f"> {line}" for line in _wrap(told)), ""]
    lines += _wrap(formatting.sources_line(alert))
    lines += _wrap(f"Why: {formatting.why_line(alert)}")
    return lines + _wrap(_times(alert, zone))


def _runs(notification: Notification, alert: Alert) -> list[tuple[str, bool]]:
    return formatting.quote(alert, update=notification.kind == "update")


def _html_alert(notification: Notification, alert: Alert, zone: str) -> dict[str, Any]:
    return {
        **_html_item(alert, zone),
        "topic": formatting.topic(alert),
        "urgent": alert.urgency if alert.urgency in ("critical", "high") else "",
        "runs": _runs(notification, alert),
        "sources": formatting.sources_line(alert),
        "why": formatting.why_line(alert),
        "times": _times(alert, zone),
        "below": formatting.below_headline(alert),
    }


def _html_item(alert: Alert, zone: str) -> dict[str, Any]:
    at = alert.story.published or alert.story.seen_at
    return {
        "title": formatting.headline(alert),
        "url": formatting.link(alert.story.url),
        "outlet": formatting.byline(alert),
        "status": formatting.status_line(alert),
        "language": formatting.language_line(alert),
        "published": formatting.day_clock(at, zone) if at > 0 else "",
    }


def _html_listed(listed: formatting.Listed, zone: str) -> dict[str, Any]:
    lines = [new.words(zone) for new in listed.lines]
    return {**_html_item(listed.alert, zone), "status": listed.status, "lines": lines}


def _byline(alert: Alert, zone: str) -> str:
    at = alert.story.published or alert.story.seen_at
    return formatting.byline(alert) + (f" · {formatting.day_clock(at, zone)}" if at > 0 else "")


def _times(alert: Alert, zone: str) -> str:
    steps = formatting.times(alert)
    return " → ".join(f"{word} {formatting.clock(at, zone)}" for word, at in steps)


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]


@cache
def template() -> Any:
    """Return the page that every mail is made from."""
    environment = Environment(
        loader=PackageLoader("monitor.delivery"),
        autoescape=True,
        finalize=on_page,
        undefined=StrictUndefined,
    )
    return environment.get_template("alert.html")


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
