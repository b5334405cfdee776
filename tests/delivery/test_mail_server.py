"""E-mail against a real SMTP server: TLS, login, several recipients, partial refusals."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from monitor.reasons import DeliveryReason
from tests.support.alerts import FIRST, UPDATE, alert, config, note
from tests.support.smtp_standin import SmtpStandin


def settings(smtp: SmtpStandin, **more: Any) -> Any:
    """A configuration whose channel `mail` is the stand-in; notices go to `ops`."""
    channel = {
        "type": "email",
        "host": "localhost",
        "port": smtp.port,
        "security": "none",
        "from": "Wirewatch <alerts@example.org>",
        "to": ["desk@example.org", "night@example.org"],
    }
    return config(channels={"mail": channel | more}, ops={"notices_to": ["ops"]})


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate for localhost, made for this session."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


async def test_starttls_and_login(desk: Any, certificate: tuple[Path, Path]) -> None:
    """With STARTTLS, a private authority and a login the mail arrives, multipart, plain first."""
    key, cert = certificate
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)
    async with SmtpStandin(login=("wire", "hunter2-canary"), tls=tls) as smtp:
        secure = {"security": "starttls", "ca_file": str(cert), "username": "wire"}
        mail = await desk("mail", settings(smtp, **secure, password="hunter2-canary"))
        await mail.put(note(FIRST, "mail"), note(UPDATE, "mail", "update"))
        await mail.run(60)
        first, update = (taken.mail for taken in smtp.mails)
        assert smtp.mails[0].recipients == ("desk@example.org", "night@example.org")
        kinds = [part.get_content_type() for part in first.iter_parts()]
        assert kinds == ["text/plain", "text/html"]
        assert update["In-Reply-To"] == first["Message-ID"]
        assert update["Subject"] == f"Re: {first['Subject']}"


@pytest.mark.parametrize("fault", ["password", "authority", "no_tls"])
async def test_what_is_wrong_is_named(
    desk: Any, certificate: tuple[Path, Path], fault: str
) -> None:
    """A wrong password, an unknown authority or a missing STARTTLS: named, kept, told elsewhere."""
    key, cert = certificate
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)
    server = SmtpStandin(login=("wire", "right"), tls=None if fault == "no_tls" else tls)
    async with server as smtp:
        ca = "" if fault == "authority" else str(cert)
        password = "wrong-canary" if fault == "password" else "right"
        secure = {"security": "starttls", "ca_file": ca, "username": "wire"}
        mail = await desk("mail", settings(smtp, **secure, password=password))
        await mail.put(note(FIRST, "mail"))
        await mail.run(5)
        state = await mail.outbox.state("mail")
        reason = DeliveryReason.AUTH_REVOKED if fault == "password" else "misconfigured"
        assert state["state"] == f"broken:{reason}", state
        assert "canary" not in str(state)
        (told,) = await mail.outbox.read("ops", mail.clock.now(), 5)
        assert str(reason) in told.notification.notice
        assert await mail.outbox.waiting("mail") == 1 and smtp.mails == []


async def test_a_refused_recipient_is_named_and_the_rest_served(desk: Any) -> None:
    """One recipient the server will never take: the others get it, once; somebody is told."""
    async with SmtpStandin() as smtp:
        smtp.recipients["night@example.org"] = "550 5.1.1 no such box"
        mail = await desk("mail", settings(smtp))
        await mail.put(note(FIRST, "mail"))
        await mail.run(60)
        assert [taken.recipients for taken in smtp.mails] == [("desk@example.org",)]
        assert "night@example.org: 550" in (await mail.outbox.receipt("a-first@mail")).note
        (told,) = await mail.outbox.read("ops", mail.clock.now(), 5)
        assert "night@example.org" in told.notification.notice


async def test_a_recipient_for_later_is_served_later(desk: Any) -> None:
    """A greylisted recipient is tried again alone; who has the mail does not get it twice."""
    async with SmtpStandin() as smtp:
        smtp.recipients["night@example.org"] = "451 4.7.1 come back later"
        mail = await desk("mail", settings(smtp))
        await mail.put(note(FIRST, "mail"))
        await mail.run()
        assert [taken.recipients for taken in smtp.mails] == [("desk@example.org",)]
        smtp.recipients.clear()
        mail.another()
        await mail.run(600)
        assert [taken.recipients for taken in smtp.mails] == [
            ("desk@example.org",),
            ("night@example.org",),
        ]
        assert await mail.count(DeliveryReason.SENT) == 1


async def test_a_mail_sent_again_says_so(desk: Any) -> None:
    """After a lost answer the same Message-ID goes out again, marked and counted."""
    async with SmtpStandin() as smtp:
        smtp.fail("DATA", "drop")
        mail = await desk("mail", settings(smtp))
        await mail.put(note(FIRST, "mail"))
        await mail.run(700)
        one, two = (taken.mail for taken in smtp.mails)
        assert one["Message-ID"] == two["Message-ID"]
        assert one["X-Wirewatch-Resent"] is None and two["X-Wirewatch-Resent"]
        assert await mail.count(DeliveryReason.RESENT) == 1


async def test_a_poison_message_is_set_aside_only_when_others_pass(desk: Any) -> None:
    """A message refused for now again and again becomes a dead letter once others got through."""
    async with SmtpStandin() as smtp:
        mail = await desk("mail", settings(smtp))
        smtp.fail("DATA", *["451 4.3.0 cannot scan this"] * 30)
        await mail.put(note(FIRST, "mail"))
        await mail.run(3600)
        assert await mail.outbox.waiting("mail") == 1, "the server refuses all: keep trying"
        smtp.faults.clear()
        await mail.put(note(alert("fine"), "mail"))
        await mail.run()
        smtp.fail("DATA", *["451 4.3.0 cannot scan this"] * 5)
        await mail.run(600)
        assert smtp.told() == ["fine@mail"]
        letter = await mail.store.hget(mail.keys("dead"), "notifier:a-first@mail")
        assert letter is not None and b"too_many_attempts" in letter
