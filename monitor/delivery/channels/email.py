"""E-mail over SMTP: one message to all recipients, and who of them was refused."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import errors as smtp

from monitor.config.schema import EmailChannel
from monitor.delivery.channel import RESEND_AFTER, Lookup, SendContext, SendResult, Traits, sent
from monitor.delivery.channels import email_message
from monitor.model import Notification
from monitor.reasons import DeliveryReason

COMMAND_TIMEOUT = 45.0  # seconds for all before the message itself
DATA_TIMEOUT = 100.0  # for the answer to it: servers scan before they answer (RFC 5321 4.5.3.2.6)


class Mail:
    """Sends through one SMTP server; a connection for each message, so none can go stale."""

    traits = Traits(resend_after=RESEND_AFTER, overflow=20, timeout=COMMAND_TIMEOUT + DATA_TIMEOUT)

    def __init__(self, settings: EmailChannel) -> None:
        self._settings = settings

    def render(self, notification: Notification, context: SendContext) -> EmailMessage:
        """Return the MIME message."""
        return email_message.message(
            notification,
            self._settings,
            now=context.now,
            thread=context.thread,
            resend=context.resend,
            zone=context.zone,
            desk=context.desk,
        )

    async def send(
        self, message: EmailMessage, notification: Notification, context: SendContext
    ) -> SendResult:
        """Send to every recipient, or to those that remain after a part was reached."""
        settings = self._settings
        wanted = list(notification.remaining) or [
            email_message.address(recipient).addr_spec for recipient in settings.to
        ]
        sender = email_message.address(settings.sender).addr_spec
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=self._tls(),
            timeout=COMMAND_TIMEOUT / 3,
        )
        begun = False  # DATA: from here on the server may have the message
        try:
            await client.connect()
            if settings.username:
                password = settings.password.get_secret_value() if settings.password else ""
                await client.login(settings.username, password)
            refused = await _envelope(client, sender, wanted)
            begun = True
            await client.data(bytes(message), timeout=DATA_TIMEOUT)
            await _leave(client)
        except smtp.SMTPException as error:
            return _result_of(error, begun)
        except ssl.SSLError as error:
            detail = f"TLS: {error.reason or error}"
            return SendResult("refused", DeliveryReason.MISCONFIGURED, detail, whole_channel=True)
        except RuntimeError as error:  # a way to log in that the library does not know
            detail = str(error)
            return SendResult("refused", DeliveryReason.MISCONFIGURED, detail, whole_channel=True)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            if begun:
                return SendResult("unknown", DeliveryReason.TIMEOUT, type(error).__name__)
            reason = DeliveryReason.UNREACHABLE
            return SendResult("retry", reason, type(error).__name__, whole_channel=True)
        finally:
            client.close()
        return self._accepted(notification, message["Message-ID"], message["Subject"], refused)

    def _accepted(
        self,
        notification: Notification,
        message_id: str,
        subject: str,
        refused: Mapping[str, tuple[int, str]],
    ) -> SendResult:
        later = tuple(sorted(box for box, (code, _) in refused.items() if 400 <= code < 500))
        never = {box: answer for box, answer in refused.items() if box not in later}
        note = "; ".join(f"refused {box}: {code} {text}" for box, (code, text) in never.items())
        partial = DeliveryReason.RECIPIENT_REFUSED if never else None
        if later:
            return SendResult(
                "retry",
                DeliveryReason.RECIPIENT_REFUSED,
                f"not yet taken for {', '.join(later)}",
                remaining=later,
                partial=partial,
                note=note,
            )
        return sent(message_id, note=note, partial=partial, subject=subject)

    def _tls(self) -> ssl.SSLContext | None:
        if self._settings.security == "none":
            return None
        return ssl.create_default_context(cafile=self._settings.ca_file or None)

    async def find(self, notification: Notification, context: SendContext) -> Lookup:
        """SMTP cannot be asked; the Message-ID is the same, so readers' programs may merge them."""
        return Lookup("cannot_tell", detail="a mail server cannot be asked what it has taken")

    async def aclose(self) -> None:
        """Nothing stays open between messages."""


async def _envelope(
    client: aiosmtplib.SMTP, sender: str, wanted: Sequence[str]
) -> dict[str, tuple[int, str]]:
    """Name sender and recipients; return who was refused. One refusal stops no other.

    Raises:
        SMTPRecipientsRefused: nobody was taken.
        SMTPException: the server does not take the sender, or stopped answering.
    """
    utf8 = not all(address.isascii() for address in (sender, *wanted))
    encoding = "utf-8" if utf8 else "ascii"
    options = ["smtputf8"] if utf8 else []
    await client.mail(sender, options=options, encoding=encoding)
    refused: list[smtp.SMTPRecipientRefused] = []
    for box in wanted:
        try:
            await client.rcpt(box, encoding=encoding)
        except smtp.SMTPRecipientRefused as error:
            refused.append(error)
    if len(refused) == len(wanted):
        raise smtp.SMTPRecipientsRefused(refused)
    return {error.recipient: (error.code, error.message) for error in refused}


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye; the message is taken, whatever becomes of that."""
    with suppress(smtp.SMTPException, OSError, TimeoutError):
        await client.quit(timeout=2.0)


def _result_of(error: smtp.SMTPException, begun: bool) -> SendResult:
    detail = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, smtp.SMTPAuthenticationError):
        return SendResult("refused", DeliveryReason.AUTH_REVOKED, detail, whole_channel=True)
    if isinstance(error, smtp.SMTPConnectError | smtp.SMTPConnectTimeoutError):
        return SendResult("retry", DeliveryReason.UNREACHABLE, detail, whole_channel=True)
    if isinstance(error, smtp.SMTPRecipientsRefused):
        codes = [refusal.code for refusal in error.recipients]
        later = any(400 <= code < 500 for code in codes)
        told = "; ".join(f"{one.recipient}: {one.code} {one.message}" for one in error.recipients)
        reason = DeliveryReason.RECIPIENT_REFUSED
        if later:
            return SendResult("retry", reason, told[:300])
        return SendResult("refused", reason, told[:300], whole_channel=True)
    if isinstance(error, smtp.SMTPResponseException):
        said = f"{error.code} {error.message}"[:200]
        if error.code == 421:
            return SendResult("retry", DeliveryReason.UNREACHABLE, said, whole_channel=True)
        if 400 <= error.code < 500:
            return SendResult("retry", DeliveryReason.SERVER_ERROR, said)
        if isinstance(error, smtp.SMTPSenderRefused):
            return SendResult("refused", DeliveryReason.MISCONFIGURED, said, whole_channel=True)
        if not begun:
            return SendResult("refused", DeliveryReason.MISCONFIGURED, said, whole_channel=True)
        return SendResult("refused", DeliveryReason.REJECTED, said)
    if isinstance(error, smtp.SMTPNotSupported) or type(error) is smtp.SMTPException:
        return SendResult("refused", DeliveryReason.MISCONFIGURED, detail, whole_channel=True)
    if not begun:
        return SendResult("retry", DeliveryReason.UNREACHABLE, detail, whole_channel=True)
    return SendResult("unknown", DeliveryReason.TIMEOUT, detail)
