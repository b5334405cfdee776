"""One-time addresses, sessions and API tokens: only their hashes are kept.

A stolen copy of the store opens nothing. Each secret has 256 bits of chance, so a plain hash is
enough (no dictionary reaches them).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass

from monitor.desk.people import RIGHTS, Person, person_of_role
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.text import one_line

LINK_SECONDS = 12 * 3600
SESSION_SECONDS = 30 * 86400
TOKEN_PREFIX = "ww_"  # noqa: S105 -- so that scanners for leaked secrets can know one
MOST_TOKENS = 200


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A named API token, without its secret."""

    name: str
    rights: tuple[str, ...]
    made_at: float
    by: str = ""


class SignInStore:
    """`desk:link:*`, `desk:session:*` (by hash, with an end), and the hash `desk:tokens`."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def make_link(self, name: str, role: str = "editor") -> str:
        """Return the code of a one-time address for `name`; it lasts twelve hours."""
        return await self._make("link", name, role, LINK_SECONDS)

    async def use_link(self, code: str) -> str | None:
        """Trade a one-time code for a session; return the session's secret, or None."""
        row = await self._client.getdel(self._keys("desk", "link", _hash(code)))
        if not row:
            return None
        data = json.loads(row)
        return await self._make("session", data["name"], data["role"], SESSION_SECONDS)

    async def person(self, session: str) -> Person | None:
        """Return who holds a session, or None."""
        row = await self._client.get(self._keys("desk", "session", _hash(session)))
        if not row:
            return None
        data = json.loads(row)
        return person_of_role(data["name"], data["role"], "link")

    async def end_session(self, session: str) -> None:
        """Sign out."""
        await self._client.delete(self._keys("desk", "session", _hash(session)))

    async def add_token(self, name: str, rights: tuple[str, ...], by: str, now: float) -> str:
        """Make a named token and return it; it is shown this once.

        Raises:
            ValueError: the name is taken or empty, a right is unknown, or there are too many.
        """
        unknown = [right for right in rights if right not in RIGHTS]
        name = one_line(name, 60)
        if unknown or not rights or not name:
            raise ValueError(f"a token needs a name and scopes among {', '.join(RIGHTS)}")
        held = await self.tokens()
        if any(token.name == name for token in held):
            raise ValueError(f"there is a token {name!r} already; remove it first")
        if len(held) >= MOST_TOKENS:
            raise ValueError(f"there are {MOST_TOKENS} tokens already; remove some")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        record = {"name": name, "rights": list(rights), "made_at": now, "by": by}
        await self._client.hset(self._keys("desk", "tokens"), _hash(secret), json.dumps(record))
        return secret

    async def tokens(self) -> list[ApiToken]:
        """Return every token, by name."""
        rows = await self._client.hvals(self._keys("desk", "tokens"))
        return sorted((_token(row) for row in rows), key=lambda token: token.name)

    async def remove_token(self, name: str) -> bool:
        """Take a token away; return whether there was one."""
        rows = await self._client.hgetall(self._keys("desk", "tokens"))
        gone = [key for key, row in rows.items() if _token(row).name == name]
        if gone:
            await self._client.hdel(self._keys("desk", "tokens"), *gone)
        return bool(gone)

    async def token_holder(self, secret: str) -> Person | None:
        """Return whom a token stands for, or None."""
        row = await self._client.hget(self._keys("desk", "tokens"), _hash(secret))
        if not row:
            return None
        token = _token(row)
        return Person(token.name, frozenset(token.rights) | {"read"}, "token")

    async def _make(self, kind: str, name: str, role: str, seconds: int) -> str:
        secret = secrets.token_urlsafe(32)
        record = json.dumps({"name": name, "role": role})
        await self._client.set(self._keys("desk", kind, _hash(secret)), record, ex=seconds)
        return secret


def _token(row: bytes) -> ApiToken:
    data = json.loads(row)
    return ApiToken(data["name"], tuple(data["rights"]), data["made_at"], data.get("by", ""))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
