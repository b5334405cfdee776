"""Parsing contained: what a hostile document does stays in a process that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from feedlab import rss

from monitor.config.schema import PollingSettings
from monitor.errors import ParseError
from monitor.parsing.parser_pool import ParserPool
from monitor.reasons import FetchReason
from tests.support.waiting import takes, until

pytestmark = pytest.mark.slow

GOOD = rss(("1", "Ferry sinks", "Thu, 01 Jan 2026 00:00:00 GMT")).encode()
MB = 1_000_000


@pytest.fixture
async def pool() -> AsyncIterator[ParserPool]:
    """Two parsers with a second for each document."""
    pool = ParserPool(PollingSettings(parser_processes=2, parse_timeout=1.0))
    yield pool
    await pool.aclose()


def item(inside: bytes) -> bytes:
    """Wrap markup into an RSS item."""
    return (
        b"<rss version='2.0'><channel><item><title>x</title>" + inside + b"</item></channel></rss>"
    )


def entities(levels: int) -> bytes:
    """Return a document whose entities expand to 10^levels characters."""
    rows = [b'<!ENTITY e0 "0123456789">']
    for level in range(1, levels):
        rows.append(b'<!ENTITY e%d "%s">' % (level, b"&e%d;" % (level - 1) * 10))
    return (
        b"<!DOCTYPE rss [" + b"".join(rows) + b"]>" + item(b"<author>&e%d;</author>" % (levels - 1))
    )


HOSTILE = {
    "author regex": b"<!DOCTYPE rss>" + item(b"<author>" + b"a" * 60_000 + b"</author>"),
    "comment in CDATA": b"<!DOCTYPE rss>"
    + item(b"<description><![CDATA[" + b"<!--" * 125_000 + b"]]></description>"),
    "root attributes": b"<rss "
    + b" ".join(b"a%d='x'" % n for n in range(60_000))
    + b"><channel><item><title>x</title></item></channel></rss>",
    "namespaces": b"<rss "
    + b" ".join(b"xmlns:a%d='u%d'" % (n, n) for n in range(30_000))
    + b"><channel/></rss>",
    "deep elements": item(b"<a>" * 300_000),
    "deep markup": item(b"<description>" + b"&lt;div&gt;" * 300_000 + b"</description>"),
    "many items": b"<rss version='2.0'><channel>" + b"<item><title>a</title></item>" * 200_000,
    "long text": item(b"<description>" + b"x" * 15 * MB + b"</description>"),
    "wide text": item(b"<description>" + "😀".encode() * 3 * MB + b"</description>"),
    "billion laughs": entities(10),
    "quadratic entity": b'<!DOCTYPE rss [<!ENTITY a "' + b"x" * 100_000 + b'">]>'
    + item(b"<description>" + b"&a;" * 10_000 + b"</description>"),
    "external entity": b'<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    + item(b"<description>[&a;]</description>"),
    "deep json": b'{"items": ' + b'[{"a":' * 500_000,
    "noise": os.urandom(2 * MB),
}  # fmt: skip


def peak_memory(pid: int) -> int:
    """Return the largest resident size a process has had, bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_document_costs_itself_alone(name: str, pool: ParserPool) -> None:
    """Under 64 MB and its own time; others are parsed meanwhile and afterwards."""
    await pool.warm()
    pids, idle = pool.pids, max(map(peak_memory, pool.pids))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    attack = asyncio.create_task(pool.parse(HOSTILE[name], "http://a.example/"))
    neighbour = await pool.parse(GOOD, "http://b.example/")
    assert len(neighbour.entries) == 1
    try:
        entries = (await attack).entries
        if name == "external entity":
            assert Path("/etc/passwd").read_text()[:8] not in entries[0].summary
    except ParseError as error:
        assert str(error.reason).startswith(("parse_", "not_a_feed"))
    assert loop.time() - begun < 10
    for pid in set(pids) & set(pool.pids):
        assert peak_memory(pid) - idle < 64 * 1024 * 1024
    assert len((await pool.parse(GOOD, "http://b.example/")).entries) == 1


async def test_hanging_documents_do_not_hold_up_the_others() -> None:
    """One good document behind six that hang is read before most of them have come to an end."""
    pool = ParserPool(PollingSettings(parser_processes=2, parse_timeout=4.0))
    hang = HOSTILE["author regex"]
    attacks = [asyncio.create_task(pool.parse(hang, f"http://{n}.example/")) for n in range(6)]
    try:
        await asyncio.sleep(0)
        assert len((await pool.parse(GOOD, "http://b.example/")).entries) == 1
        assert sum(attack.done() for attack in attacks) <= 3
    finally:
        for attack in attacks:
            attack.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
        await pool.aclose()


async def test_hanging_documents_wait_for_each_other_only_so_long(pool: ParserPool) -> None:
    """They share one parser; whose turn does not come in the time of one is given up."""
    hang = HOSTILE["author regex"]
    attacks = (pool.parse(hang, f"http://{n}.example/") for n in range(4))
    errors = await asyncio.gather(*attacks, return_exceptions=True)
    assert {error.reason for error in errors if isinstance(error, ParseError)} == {
        FetchReason.PARSE_TIMEOUT
    }
    given_up = ["before it" in str(error) for error in errors]
    assert any(given_up)
    assert not all(given_up)


async def test_a_slow_document_is_read_all_the_same(
    pool: ParserPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes longer than the moment that is given first is read in the time that is left."""
    monkeypatch.setattr("monitor.parsing.parser_pool.MOMENT", 0.002)
    rows = "".join(f"<item><guid>{n}</guid><title>Title {n}</title></item>" for n in range(300))
    slow = f"<!DOCTYPE rss><rss version='2.0'><channel>{rows}</channel></rss>".encode()
    await pool.warm()
    before = set(pool.pids)
    assert len((await pool.parse(slow, "http://a.example/")).entries) == 300
    assert set(pool.pids) - before, "it was not put aside"


def test_processor_time_ends_a_parser_that_nobody_watches() -> None:
    """The limit on a document's processor time holds without anybody outside to keep it."""
    body = HOSTILE["author regex"]
    header = {"url": "http://a.example/", "content_type": "", "kind": "auto", "seconds": 0.2}
    head = json.dumps(header | {"length": len(body)}).encode()
    command = [sys.executable, "-m", "monitor.parsing.sandbox_process", "feed", "64000000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        child.stdin.write(len(head).to_bytes(4, "big") + head + body)
        child.stdin.flush()
        try:
            assert child.wait(30) == -signal.SIGPROF
        finally:
            child.kill()


async def test_a_crash_costs_one_document(pool: ParserPool) -> None:
    """A parser that dies in mid-document gives one error; the next document gets a new one."""
    await pool.warm()
    attack = asyncio.create_task(pool.parse(HOSTILE["author regex"], "http://a.example/"))
    await asyncio.sleep(0)

    def crashed() -> bool:
        for pid in pool.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSEGV)
        return attack.done()

    await until(crashed)
    with pytest.raises(ParseError) as caught:
        await attack
    # Killed in mid-document, or while the replacement was still starting.
    assert caught.value.reason in (FetchReason.PARSE_CRASHED, FetchReason.INTERNAL)
    assert len((await pool.parse(GOOD, "http://b.example/")).entries) == 1


async def test_a_parser_that_died_idle_costs_nothing() -> None:
    """Killed between two documents (by the kernel, say), it is replaced and nobody notices."""
    pool = ParserPool(PollingSettings(parser_processes=2, parse_timeout=10.0))
    await pool.warm()
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    assert len((await pool.parse(GOOD, "http://b.example/")).entries) == 1


async def test_a_cancelled_parse_does_not_answer_the_next(pool: ParserPool) -> None:
    """After a cancellation no document is given another one's entries."""
    await pool.warm()
    for _ in range(4):
        task = asyncio.create_task(pool.parse(HOSTILE["comment in CDATA"], "http://a.example/"))
        await takes(0.001)  # the document is on its way
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await pool.parse(GOOD, "http://b.example/")).entries[0].title == "Ferry sinks"


async def test_parsers_hold_no_secret_and_no_model(pool: ParserPool) -> None:
    """A parser sees no secret of ours in its environment, and stays small."""
    os.environ["WIREWATCH_TEST_CANARY"] = "canary-value"
    await pool.warm()
    for pid in pool.pids:
        assert b"canary-value" not in Path(f"/proc/{pid}/environ").read_bytes()
        assert peak_memory(pid) < 48 * MB
        assert b"torch" not in Path(f"/proc/{pid}/maps").read_bytes()


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_parsers_die_with_a_killed_parent() -> None:
    """After kill -9 of the service no parser is left, not even one deep in a document."""
    script = textwrap.dedent("""
        import asyncio, sys
        from monitor.config.schema import PollingSettings
        from monitor.parsing.parser_pool import ParserPool
        async def main():
            pool = ParserPool(PollingSettings(parser_processes=2, parse_timeout=60))
            await pool.warm()
            print(*pool.pids, flush=True)
            await pool.parse(b"<rss><channel><item><author>" + b"a" * 200000, "http://x/")
        asyncio.run(main())
    """)
    command = [sys.executable, "-c", script]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    async with asyncio.timeout(10):
        await until(lambda: all(map(gone, pids)))
