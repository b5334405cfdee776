"""The typed list of store commands holds nothing that redis-py cannot do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, get_overloads

import pytest
import redis.asyncio as aioredis
from redis.asyncio.client import Pipeline as RealPipeline

from monitor.store import commands


def _typed(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in vars(kind).items():
        if callable(member) and not name.startswith("_"):
            # A protocol's overloads have no function of their own to be looked up by.
            place = SimpleNamespace(
                __module__=kind.__module__, __qualname__=f"{kind.__qualname__}.{name}"
            )
            for form in get_overloads(place) or [member]:
                yield name, form


@pytest.mark.parametrize(
    ("real", "name", "form"),
    [(aioredis.Redis, *found) for found in _typed(commands.Redis)]
    + [(RealPipeline, *found) for found in _typed(commands.Pipeline)],
)
def test_redis_py_takes_each_command_as_it_is_typed(
    real: type, name: str, form: Callable[..., Any]
) -> None:
    """A command on our list exists, and takes what must be given in order, the rest by name."""
    given = inspect.signature(form).parameters.values()
    in_order = [
        one for one in given if one.default is one.empty and one.kind is not one.KEYWORD_ONLY
    ]
    by_name = [one.name for one in given if one not in in_order]
    inspect.signature(getattr(real, name)).bind(*in_order, **dict.fromkeys(by_name))
