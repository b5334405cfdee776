"""The store's address taken apart: one server, a primary behind Sentinels, or a cluster.

    redis://user:password@host:6379/0?option=value          rediss:// is encrypted
    unix:///run/valkey/valkey.sock
    redis+sentinel://user:password@host:26379,host:26379/PRIMARY/0?sentinel_password=secret
    redis+cluster://user:password@host:6379,host:6379/PREFIX

`valkey` may stand for `redis`. What a check accepts the client understands, since both read here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

Node = tuple[str, int]

_SPELLED = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
_PORTS = {"sentinel": 26379, "cluster": 6379}
_STRANGE = "the store's address must start with redis://, valkey:// or the like"


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where the store is, or who knows.

    `url` is how redis-py spells the address of a single server. Of the other kinds, `nodes` are
    asked (with `ask_username` and `ask_password`) where the keys are, and `name` is what they are
    asked for: the primary's name, or the prefix of all keys. `options` are those of the query.
    """

    kind: Literal["server", "sentinel", "cluster"]
    tls: bool
    url: str = field(default="", repr=False)
    nodes: tuple[Node, ...] = ()
    name: str = ""
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    ask_username: str = ""
    ask_password: str = field(default="", repr=False)
    options: dict[str, str] = field(default_factory=dict, repr=False)


def read_address(url: str) -> StoreAddress:
    """Take an address apart.

    Raises:
        ValueError: it is none; the message says what to write, and repeats nothing of it.
    """
    scheme, _, rest = url.partition("://")
    base, _, kind = scheme.partition("+")
    if (base, kind) in (("unix", ""), ("valkey", "unix")):
        return StoreAddress(
            "server", False, f"unix://{rest}", options=_options(_split(url), tls=False)
        )
    if base not in _SPELLED or kind not in ("", *_PORTS):
        raise ValueError(_STRANGE)
    base = _SPELLED[base]
    tls = base == "rediss"
    parts = _split(url)
    options = _options(parts, tls=tls)
    login, _, places = parts.netloc.rpartition("@")
    nodes = tuple(_node(place, _PORTS.get(kind, 6379)) for place in places.split(","))
    if not kind:
        return StoreAddress("server", tls, f"{base}://{rest}", options=options)
    username, _, password = (unquote(part) for part in login.partition(":"))
    if kind == "cluster":
        name, database = _cluster_path(parts), 0
        asking = username, password
    else:
        name, database = _sentinel_path(parts)
        asking = options.pop("sentinel_username", ""), options.pop("sentinel_password", "")
    return StoreAddress(
        "cluster" if kind == "cluster" else "sentinel",
        tls,
        nodes=nodes,
        name=name,
        database=database,
        username=username,
        password=password,
        ask_username=asking[0],
        ask_password=asking[1],
        options=options,
    )


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # its words would repeat the host, password and all
        raise ValueError("the store's address is malformed; check host and brackets") from None


def _options(parts: SplitResult, *, tls: bool) -> dict[str, str]:
    found = dict(parse_qsl(parts.query))
    for name in found:
        if name.startswith("ssl") and not tls:
            raise ValueError(
                f'"{name}" is for an encrypted store; start the address with rediss instead of '
                f'redis, or take "{name}" out'
            )
    return found


def _node(place: str, port: int) -> Node:
    try:
        found = _split(f"//{place}")
        return found.hostname or "localhost", found.port or port
    except ValueError:
        raise ValueError(
            "the store's address has a port that is none; write host:port, and the special "
            "characters of a password as %40 and the like"
        ) from None


def _cluster_path(parts: SplitResult) -> str:
    name = parts.path.strip("/")
    if not name or "/" in name:
        raise ValueError(
            "the address of a cluster ends with the prefix of our keys, which tells the node that "
            "holds them: redis+cluster://host:6379,host:6379/ww"
        )
    return name


def _sentinel_path(parts: SplitResult) -> tuple[str, int]:
    name, _, database = parts.path.strip("/").partition("/")
    if not name or not (database or "0").isdigit():
        raise ValueError(
            "the address of Sentinels ends with the name of the primary they watch, and a "
            "database: redis+sentinel://host:26379,host:26379/NAME/0"
        )
    return unquote(name), int(database or 0)
