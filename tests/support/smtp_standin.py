"""A real SMTP server (aiosmtpd) that keeps what it takes, and goes wrong on request.

    async with SmtpStandin() as smtp:
        smtp.port, smtp.mails
        smtp.fail("DATA", "451 try later")      # or "drop": taken, but the answer is lost
        smtp.recipients["gone@example.org"] = "550 no such box"

As a program: `python -m tests.support.smtp_standin --port 8925` serves until stopped.
"""

from __future__ import annotations

import asyncio
import email
import logging
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd tells every command


@dataclass(frozen=True, slots=True)
class Taken:
    """One message the server took, and for whom."""

    recipients: tuple[str, ...]
    raw: bytes
    at: float = field(default_factory=time.time)

    @property
    def mail(self) -> EmailMessage:
        """The message, parsed."""
        parsed = email.message_from_bytes(self.raw, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class SmtpStandin:
    """The server and its handler. `login` asks for a user name and password."""

    def __init__(self, login: tuple[str, str] | None = None, tls: Any = None) -> None:
        self.mails: list[Taken] = []
        self.faults: dict[str, deque[str]] = defaultdict(deque)
        self.recipients: dict[str, str] = {}
        self.fault_rate = 0.0
        self.random = random.Random(0)
        self.port = 0
        self.commands: list[str] = []
        self._login = login
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()

    async def start(self, port: int = 0) -> None:
        """Listen on loopback."""
        loop = asyncio.get_running_loop()
        auth = {"authenticator": self._check, "auth_required": True} if self._login else {}
        tls = {"tls_context": self._tls, "require_starttls": True} if self._tls else {}

        def protocol() -> SMTP:
            return SMTP(
                self,
                hostname="mail.example.org",
                enable_SMTPUTF8=True,
                auth_require_tls=bool(self._tls),
                loop=loop,
                **auth,
                **tls,
            )

        self._server = await loop.create_server(protocol, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def fail(self, command: str, *answers: str) -> None:
        """Have the next `command`s (EHLO, MAIL, RCPT, DATA) answered with these lines."""
        self.faults[command].extend(answers)

    def told(self) -> list[str]:
        """Return the notification id of every message, once for each time it came."""
        return [taken.mail["X-Wirewatch-Notification"] for taken in self.mails]

    async def until(self, condition: Callable[[], bool], seconds: float = 90.0) -> None:
        """Wait until `condition` holds; looked at after every message."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _next(self, command: str) -> str:
        self.commands.append(command)
        if self.faults[command]:
            return self.faults[command].popleft()
        if self.fault_rate and command == "DATA" and self.random.random() < self.fault_rate:
            return self.random.choice(("451 local error", "drop", "452 too busy", "421 going down"))
        return ""

    def _check(self, server: Any, session: Any, envelope: Any, kind: str, data: Any) -> AuthResult:
        if not isinstance(data, LoginPassword) or self._login is None:
            return AuthResult(success=False, handled=False)
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self._login, handled=given == self._login)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer MAIL FROM."""
        if fault := self._next("MAIL"):
            return fault
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer RCPT TO."""
        if fault := self._next("RCPT") or self.recipients.get(address, ""):
            return fault
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take the message, or lose the answer, or refuse."""
        fault = self._next("DATA")
        if fault and fault != "drop":
            return fault
        raw = envelope.content
        assert isinstance(raw, bytes)
        self.mails.append(Taken(tuple(envelope.rcpt_tos), raw))
        self._changed.set()
        if fault == "drop":
            assert server.transport is not None
            server.transport.abort()
        return "250 taken"


async def main(port: int) -> None:
    """Serve until stopped."""
    smtp = SmtpStandin()
    await smtp.start(port)
    print(f"SMTP stand-in on 127.0.0.1:{smtp.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8925)
    asyncio.run(main(parser.parse_args().port))
