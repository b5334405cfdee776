"""Notices a store that has lost what it held: emptied while we run, or lost since last time.

A mark lies in the store and, where the store is our own, beside it in the data folder, with the
number of keys there were. A store without the mark that we know was emptied or exchanged; one that
has started anew, or whose place another has taken, with far fewer keys than minutes ago came back
from half a file, or from a replica that lagged.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from monitor.health.watch_store import WatchStore
from monitor.observability.logs import get_logger
from monitor.text import spelled_span

log = get_logger(__name__)

FILE = "installation.json"
_WRITE_EVERY = 30.0
_RECENT = 6 * 3600.0  # stories lapse by themselves in days, not in hours
_MANY, _SHARE = 500, 2 / 3


@dataclass(frozen=True, slots=True)
class Mark:
    """Which installation a store belongs to, and how many keys it held at an instant.

    `run` names the run of the server; "" where it does not say.
    """

    mark: str
    keys: int
    at: float
    run: str = ""


class Installation:
    """Compares the store with what is known of it.

    Args:
        store: where the mark is.
        now: returns Unix seconds.
        folder: the data folder of an embedded store; None where the store is somebody else's.
    """

    def __init__(
        self, store: WatchStore, now: Callable[[], float], folder: Path | None = None
    ) -> None:
        self._store = store
        self._now = now
        self._file = folder / FILE if folder else None
        self._known: Mark | None = None
        self._written = 0.0

    async def look(self) -> str:
        """Look at the store, say what it has lost, remember how it stands now.

        Returns what was lost, in words, or "".
        """
        first = self._known is None
        known = self._known or self._read()
        now = self._now()
        found = await self._store.mark(uuid.uuid4().hex)
        seen = Mark(found, await self._store.size(), now, await self._store.run_id())
        loss = lost(known, seen, started=first)
        if loss:
            log.error("store_lost", loss=loss)
            await self._store.note_loss(loss, now)
        self._known = seen
        if now - self._written >= _WRITE_EVERY or loss:
            self._write()
        return loss

    def _read(self) -> Mark | None:
        try:
            return Mark(**json.loads(self._file.read_text())) if self._file else None
        except (OSError, ValueError, TypeError):
            return None

    def _write(self) -> None:
        if self._file is None or self._known is None:
            return
        draft = self._file.with_suffix(".tmp")
        with suppress(OSError):  # a full disk: the store says so louder
            draft.write_text(json.dumps(asdict(self._known)))
            draft.replace(self._file)
            self._written = self._known.at


def lost(known: Mark | None, seen: Mark, *, started: bool) -> str:
    """Return what a store has lost that was `known`, in words, or "".

    Args:
        known: what is remembered of it; None at the very first start.
        seen: how it stands now.
        started: whether this is the first look since we started. Otherwise keys go by themselves,
            unless the server is no longer the same run.
    """
    if known is None or not known.keys:
        return ""
    ago = f"{spelled_span(seen.at - known.at)} ago"
    if seen.mark != known.mark:
        return (
            f"the store was emptied or exchanged: {ago} it held {known.keys} keys. What was seen "
            "and told is forgotten; each feed begins with a silent baseline, and what came in "
            "between is not told. If you have a copy of the data, stop and restore it"
        )
    fewer = known.keys >= _MANY and seen.keys < known.keys * _SHARE
    anew = started or ("" not in (known.run, seen.run) and known.run != seen.run)
    if anew and fewer and seen.at - known.at < _RECENT:
        return (
            f"the store has lost part of its data: it holds {seen.keys} keys and {ago} held "
            f"{known.keys}. Some alerts may come again, and some stories be missing. If you have "
            "a copy of the data, stop and restore it"
        )
    return ""
