"""One parser process: `python -m monitor.parsing.sandbox_process JOB MEMORY`.

JOB is "feed" (feeds, and the links of a site's page) or "article" (the text of an article's page,
and whether a robots.txt lets us read it).

It reads documents from standard input and writes what it found to standard output, one at a time,
under limits it cannot lift. It writes no files and opens no sockets, and it dies with its parent.

Frames: a 4-byte length, a JSON header, then (requests only) the body, whose length the header
tells. A request that takes more processor time than its header allows ends the process (SIGPROF).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from monitor.errors import ParseError
from monitor.reasons import FetchReason

READY = b"\0\0\0\0"  # an empty frame: the limits stand, documents may come
_PR_SET_PDEATHSIG = 1
_PIPE_BYTES = 1 << 20
_REHEARSAL = (
    b'<rss version="2.0"><channel><title>t</title><item><title>a &amp;amp; b</title>'
    b"<pubDate>jeu., 01 janv. 2026 00:00:00 Europe/Paris</pubDate><description>&lt;p&gt;c&lt;/p&gt;"
    b"</description></item></channel></rss>",
    b'<?xml version="1.0" encoding="windows-1252"?><rss><channel><title>a & b</title></channel>',
    b'{"version": "https://jsonfeed.org/version/1.1", "items": []}',
)
_ARTICLE = (
    b"<html><body><article><h1>t</h1>" + b"<p>Some words of an article.</p>" * 20 + b"</article>"
)
_OUT_OF_MEMORY = "the document needs more memory than polling.parse_memory allows"


ParseRequest = dict[str, Any]
Work = Callable[[bytes, ParseRequest], dict[str, object]]


def main() -> None:
    """Serve until standard input ends."""
    job, memory = sys.argv[1], int(sys.argv[2])
    _die_with_parent()
    _widen_pipes()
    work = _work(job)
    _lock_down(memory)
    gc.freeze()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(READY)
    sink.flush()
    while request := _read(source):
        signal.setitimer(signal.ITIMER_PROF, float(request["seconds"]))
        reply = _serve(work, source, request)
        data = json.dumps(reply, ensure_ascii=False).encode("utf-8", "replace")
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(len(data).to_bytes(4, "big") + data)
        sink.flush()
        if reply.get("reason") == FetchReason.PARSE_MEMORY:
            return  # after a MemoryError the process is replaced


def _work(job: str) -> Work:
    """Return what this process does, after doing it once: imports come before the limits."""
    if job == "article":
        from monitor.parsing.article import allows, extract

        def article(body: bytes, request: ParseRequest) -> dict[str, object]:
            if request["kind"] == "robots":
                return {"allowed": allows(body, str(request["url"]))}
            return {"text": extract(body, str(request["url"]))}

        extract(_ARTICLE, "http://localhost/")
        allows(b"User-agent: *\nDisallow: /*a$", "http://localhost/")
        return article

    from monitor.parsing.detect_format import parse
    from monitor.parsing.discovery import feed_links
    from monitor.parsing.document import Wanted

    def feed(body: bytes, request: ParseRequest) -> dict[str, object]:
        if request["kind"] == "links":
            return {"links": feed_links(body, str(request["url"]))}
        known, since = request.get("known", ()), request.get("since")
        document = parse(
            body,
            str(request["url"]),
            str(request["content_type"]),
            str(request["kind"]),
            Wanted(frozenset(known), since),
        )
        return document.to_dict()

    for document in _REHEARSAL:
        parse(document, "http://localhost/")
    feed_links(_ARTICLE, "http://localhost/")
    return feed


def _serve(work: Work, source: BinaryIO, request: ParseRequest) -> dict[str, object]:
    try:
        body = source.read(int(request["length"]))
        return {"ok": work(body, request)}
    except ParseError as error:
        memory = "emory alloc" in str(error)
        return {
            "reason": FetchReason.PARSE_MEMORY if memory else error.reason,
            "message": _OUT_OF_MEMORY if memory else str(error),
        }
    except MemoryError:
        return {"reason": FetchReason.PARSE_MEMORY, "message": _OUT_OF_MEMORY}
    except Exception as error:
        return {
            "reason": FetchReason.PARSE_FAILED,
            "message": f"the parser gave up ({type(error).__name__})",
        }


def _read(source: BinaryIO) -> ParseRequest | None:
    size = source.read(4)
    if len(size) < 4:
        return None
    header: ParseRequest = json.loads(source.read(int.from_bytes(size, "big")))
    return header


def _die_with_parent() -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle


def _widen_pipes() -> None:
    """Let a whole document fit into each pipe: otherwise parent and child take turns for it."""
    if sys.platform == "linux":
        for number in (0, 1):
            with contextlib.suppress(OSError):  # a socket, or more than this user may have
                fcntl.fcntl(number, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _lock_down(memory: int) -> None:
    if sys.platform == "linux":
        # The allowance is counted over what the process needs when idle.
        idle_pages = int(Path("/proc/self/statm").read_text().split()[0])
        allowed = idle_pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


if __name__ == "__main__":
    main()
