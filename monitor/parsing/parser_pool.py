"""Parsing in processes that may be killed: what a document does to its parser ends there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import Any

from monitor.config.schema import PollingSettings
from monitor.errors import ParseError
from monitor.observability.logs import get_logger
from monitor.parsing.document import EVERYTHING, ParsedFeed, Wanted
from monitor.reasons import FetchReason

log = get_logger(__name__)

_MAX_REPLY = 256 * 1024 * 1024
_START_SECONDS = 30.0
MOMENT = 0.1  # of `parse_timeout`; the heaviest real documents take a sixtieth
_OVERSPENT = -signal.SIGPROF
_NOTHING = b'<rss version="2.0"><channel><title>-</title></channel></rss>'


_Lane = asyncio.LifoQueue["_Child | None"]


class _TooSlow(Exception):
    """A document took more processor time than it was given."""


class ParserPool:
    """A few parser processes, started when first needed, replaced when one is lost.

    Every process is bounded in CPU time, wall time (`parse_timeout`) and memory (`parse_memory`
    above its idle size), opens nothing, and dies with this process, even a killed one.

    A document that is not read within a moment (a tenth of `parse_timeout`, in processor time) is
    put aside, and read from its start by one process more, which slow documents share and wait for
    as long as one of them may take. So any number of them hold up the others by a moment each.
    """

    def __init__(self, settings: PollingSettings, *, job: str = "feed", size: int = 0) -> None:
        self._settings = settings
        self._job = job
        self._size = size or settings.parser_processes or os.cpu_count() or 1
        self._idle: _Lane = asyncio.LifoQueue()
        self._slow: _Lane = asyncio.LifoQueue()
        self._slow.put_nowait(None)
        for _ in range(self._size):
            self._idle.put_nowait(None)
        self._children: set[_Child] = set()
        self._closed = False

    async def parse(
        self,
        body: bytes,
        url: str,
        content_type: str = "",
        kind: str = "auto",
        wanted: Wanted = EVERYTHING,
    ) -> ParsedFeed:
        """Parse one document in a process of its own; arguments as for `detect_format.parse`.

        Raises:
            ParseError: `not_a_feed`, `bot_wall`, `parse_failed`, `parse_timeout`, `parse_memory`
                or `parse_crashed`.
        """
        header = {"url": url, "content_type": content_type, "kind": kind, "since": wanted.since}
        reply = await self._ask(body, header | {"known": list(wanted.known)})
        try:
            return ParsedFeed.from_dict(reply)
        except (KeyError, TypeError) as error:
            raise ParseError(FetchReason.PARSE_FAILED, f"unreadable result ({error})") from None

    async def links(self, body: bytes, url: str) -> list[str]:
        """Return the addresses of feeds that a site's page names (a "feed" pool).

        Raises:
            ParseError: as for `parse`.
        """
        reply = await self._ask(body, {"url": url, "kind": "links"})
        return [str(link) for link in reply.get("links", ())]

    async def article(self, body: bytes, url: str) -> str:
        """Return the text of an article's page, "" if there is none (an "article" pool).

        Raises:
            ParseError: as for `parse`.
        """
        return str((await self._ask(body, {"url": url, "kind": "article"})).get("text", ""))

    async def allows(self, robots: bytes, url: str) -> bool:
        """Whether a robots.txt lets us read a page (an "article" pool).

        Raises:
            ParseError: as for `parse`.
        """
        reply = await self._ask(robots, {"url": url, "kind": "robots"})
        return reply.get("allowed") is True

    async def _ask(self, body: bytes, header: dict[str, Any]) -> dict[str, Any]:
        """Have a document read: for a moment by any process, then by the one for slow documents."""
        patience = self._settings.parse_timeout
        moment = MOMENT * patience
        child = await self._idle.get()
        with contextlib.suppress(_TooSlow):
            return await self._read(self._idle, child, body, header, moment)
        try:
            async with asyncio.timeout(patience):
                child = await self._slow.get()
        except TimeoutError:
            raise ParseError(
                FetchReason.PARSE_TIMEOUT, "slow to parse, and others as slow were before it"
            ) from None
        try:
            return await self._read(self._slow, child, body, header, patience - moment)
        except _TooSlow:
            raise ParseError(
                FetchReason.PARSE_TIMEOUT, "the document used up the parser's processor time"
            ) from None

    async def _read(
        self, lane: _Lane, child: _Child | None, body: bytes, header: dict[str, Any], seconds: float
    ) -> dict[str, Any]:
        """Have one process of a lane read a document in `seconds` of processor time."""
        header = header | {"seconds": seconds}
        try:
            fresh = child is None or not child.alive
            if child is None or fresh:
                child = await self._start(child)
            try:
                async with asyncio.timeout(self._settings.parse_timeout):
                    try:
                        reply = await child.ask(body, header)
                    except (EOFError, OSError):
                        if fresh or await child.end() == _OVERSPENT:
                            raise
                        # It may have been dead before this document came: once more, on a new one.
                        child = await self._start(child)
                        reply = await child.ask(body, header)
                    if reply.get("reason") == FetchReason.PARSE_MEMORY:
                        raise ParseError(FetchReason.PARSE_MEMORY, str(reply["message"]))
            except TimeoutError:
                raise ParseError(
                    FetchReason.PARSE_TIMEOUT,
                    f"not parsed within {self._settings.parse_timeout:g} s",
                ) from None
            except (EOFError, OSError, ValueError):
                if (code := await child.end()) == _OVERSPENT:
                    raise _TooSlow from None
                how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
                raise ParseError(
                    FetchReason.PARSE_CRASHED, f"the document crashed its parser ({how})"
                ) from None
        except BaseException:
            # Whatever went wrong, this process may hold half an answer: it is not used again.
            if child is not None:
                await self._discard(child)
            child = None
            raise
        finally:
            lane.put_nowait(child)
        if "reason" in reply:
            reason = FetchReason(str(reply["reason"]))
            raise ParseError(reason, str(reply["message"]))
        answer = reply.get("ok")
        if not isinstance(answer, dict):
            raise ParseError(FetchReason.PARSE_FAILED, "unreadable result")
        return answer

    async def warm(self) -> None:
        """Start every process now, so that the first documents need not wait."""
        header = {"url": "http://localhost/", "content_type": "", "kind": "auto"}
        trials = (self._ask(_NOTHING, header) for _ in range(self._size))
        await asyncio.gather(*trials)

    async def aclose(self) -> None:
        """Kill the parser processes."""
        self._closed = True
        for child in list(self._children):
            await self._discard(child)

    @property
    def pids(self) -> list[int]:
        """Process ids of the parsers now running."""
        return [child.pid for child in self._children]

    async def _start(self, old: _Child | None) -> _Child:
        if old is not None:
            await self._discard(old)
        if self._closed:
            raise ParseError(FetchReason.INTERNAL, "the parser pool is closed")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "monitor.parsing.sandbox_process",
            self._job,
            str(self._settings.parse_memory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=1 << 20,
            env=_bare_environment(),
        )
        child = _Child(process)
        self._children.add(child)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.ready()
        except (TimeoutError, EOFError, OSError):
            await self._discard(child)
            raise ParseError(FetchReason.INTERNAL, "a parser process did not start") from None
        return child

    async def _discard(self, child: _Child) -> None:
        self._children.discard(child)
        await child.kill()


class _Child:
    """One parser process and its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._process.stdout.at_eof()  # type: ignore[union-attr]

    async def ready(self) -> None:
        """Wait until the process has set its limits."""
        assert self._process.stdout is not None
        await self._process.stdout.readexactly(4)

    async def ask(self, body: bytes, header: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        head = json.dumps(header | {"length": len(body)}).encode()
        stdin.write(len(head).to_bytes(4, "big") + head)
        stdin.write(body)
        await stdin.drain()
        size = int.from_bytes(await stdout.readexactly(4), "big")
        if size > _MAX_REPLY:
            raise ValueError("reply too long")
        reply = json.loads(await stdout.readexactly(size))
        if not isinstance(reply, dict):
            raise ValueError("not an object")
        return reply

    async def end(self) -> int | None:
        """Return the exit status of a process that has fallen silent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self._process.wait()
        return self._process.returncode

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def _bare_environment() -> dict[str, str]:
    # No secrets of ours in a process that reads hostile documents.
    keep = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "HOME", "SYSTEMROOT")
    bare = {name: os.environ[name] for name in keep if name in os.environ}
    return bare | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",
        "MALLOC_ARENA_MAX": "1",
    }
