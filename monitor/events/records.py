"""One story of the window as bytes: what a restart needs, and nothing else.

Layout: version (1 byte), length of the JSON part (4 bytes, little-endian), JSON part, vector
(float16), terms (int32), flags (uint8). Under a kilobyte at 192 dimensions.
"""

from __future__ import annotations

import json
import struct
import sys
from array import array
from typing import Any

import numpy as np

from monitor.events.features import Member
from monitor.model import Vector

_HEAD = struct.Struct("<BI")
_VERSION = 5
_READ = (1, 2, 3, 4, 5)  # earlier versions lack the last fields
_ABSENT: tuple[Any, ...] = ((), 0, "", "", 1, 0, "", "", 0, "")  # what those of version 5 are then


def pack(member: Member, vector: Vector, links: dict[str, float]) -> bytes:
    """Return the stored form of a member, its vector and its links to earlier stories."""
    meta = json.dumps(
        [
            member.id, member.title, member.url, member.owner, member.time, member.event,
            member.copy_of, member.copy_kind, int(member.quiet), list(member.sketch),
            member.since, member.order, member.model, links, len(vector), len(member.terms),
            list(member.places), member.main, member.lead, member.agency, int(member.sure),
            member.outcomes, member.outlet, member.trust, member.quoted, member.language,
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()  # fmt: skip
    return b"".join(
        (
            _HEAD.pack(_VERSION, len(meta)),
            meta,
            vector.astype("<f2").tobytes(),
            np.asarray(member.terms, "<i4").tobytes(),
            member.flags,
        )
    )


def unpack(record: bytes) -> tuple[Member, dict[str, float]]:
    """Rebuild a member, with its vector, and its links from `pack`.

    Raises:
        ValueError: the record is of an unknown version or cut short.
    """
    if len(record) < _HEAD.size:
        raise ValueError("event record is cut short")
    version, length = _HEAD.unpack_from(record)
    if version not in _READ:
        raise ValueError(f"event record of version {version}; this program reads {_VERSION}")
    at = _HEAD.size + length
    (
        story, title, url, owner, time, event, copy_of, copy_kind, quiet, sketch, since, order,
        model, links, width, terms, *more,
    ) = json.loads(record[_HEAD.size : at])  # fmt: skip
    added: list[Any] = [*more, *_ABSENT[len(more) :]]
    places, main, lead, agency, sure, outcomes, outlet, trust, quoted, language = added
    if len(record) != at + 2 * width + 5 * terms:
        raise ValueError("event record is cut short")
    member = Member(
        id=story,
        title=title,
        url=url,
        owner=sys.intern(owner),
        time=time,
        vector=np.frombuffer(record, "<f2", width, at).astype(np.float32),
        terms=array("i", np.frombuffer(record, "<i4", terms, at + 2 * width).tolist()),
        flags=record[at + 2 * width + 4 * terms :],
        sketch=array("I", sketch),
        event=sys.intern(event),
        copy_of=copy_of,
        copy_kind=copy_kind,
        quiet=bool(quiet),
        since=since,
        order=order,
        model=sys.intern(model),
        places=array("H", places),
        main=main,
        lead=lead,
        agency=sys.intern(agency),
        sure=bool(sure),
        outcomes=outcomes,
        outlet=sys.intern(outlet),
        trust=sys.intern(trust),
        quoted=quoted,
        language=sys.intern(language),
    )
    return member, links
