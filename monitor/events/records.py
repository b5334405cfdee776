"""One story of the window as bytes: what a restart needs, and nothing else.

Layout: version (1 byte), length of the JSON part (4 bytes, little-endian), JSON part, vector
(float16), terms (int32), flags (uint8). About 1.3 kB at 384 dimensions.
"""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np

from monitor.events.features import Member
from monitor.model import Vector

_HEAD = struct.Struct("<BI")
_VERSION = 1


def pack(member: Member) -> bytes:
    """Return the stored form of a member; its vector must be filled in."""
    meta = json.dumps(
        [
            member.id, member.title, member.url, member.owner, member.time, member.event,
            member.copy_of, member.copy_kind, int(member.quiet), list(member.sketch),
            member.since, member.order,
            len(member.vector), len(member.terms),
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()  # fmt: skip
    return b"".join(
        (
            _HEAD.pack(_VERSION, len(meta)),
            meta,
            member.vector.astype("<f2").tobytes(),
            member.terms.astype("<i4").tobytes(),
            member.flags.tobytes(),
        )
    )


def unpack(record: bytes) -> Member:
    """Rebuild a member from `pack`.

    Raises:
        ValueError: the record is of an unknown version or cut short.
    """
    if len(record) < _HEAD.size:
        raise ValueError("event record is cut short")
    version, length = _HEAD.unpack_from(record)
    if version != _VERSION:
        raise ValueError(f"event record of version {version}; this program reads {_VERSION}")
    at = _HEAD.size + length
    (
        story, title, url, owner, time, event, copy_of, copy_kind, quiet, sketch, since, order,
        width, terms,
    ) = json.loads(record[_HEAD.size : at])  # fmt: skip
    if len(record) != at + 2 * width + 5 * terms:
        raise ValueError("event record is cut short")
    return Member(
        id=story,
        title=title,
        url=url,
        owner=owner,
        time=time,
        vector=np.frombuffer(record, "<f2", width, at).astype(np.float32),
        terms=np.frombuffer(record, "<i4", terms, at + 2 * width).astype(np.int32),
        flags=np.frombuffer(record, np.uint8, terms, at + 2 * width + 4 * terms).copy(),
        sketch=tuple(sketch),
        event=event,
        copy_of=copy_of,
        copy_kind=copy_kind,
        quiet=bool(quiet),
        since=since,
        order=order,
    )


def with_vector(member: Member, vector: Vector) -> Member:
    """Return a copy of the member that carries its vector."""
    return replace(member, vector=vector)
