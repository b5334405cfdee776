"""The MCP server through the protocol's own client: it reads, and marks what strangers wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from monitor.desk.mcp.untrusted import marked
from tests.desk.trial import archive_a_day, known_phrases
from tests.desk.world import HOSTILE, DeskWorld

TOOLS = {
    "search_events", "get_event", "explain_story", "list_topics", "try_topic", "backtest_topic",
    "feed_health",
}  # fmt: skip


async def asked(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool that succeeds; return what it found."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    told = json.loads(result.content[0].text)
    assert "strangers" in told["note"]
    return told["found"]


async def test_a_client_over_http_reads_with_a_token(
    world: DeskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All seven tools answer the official client, write nothing, and say what is wrong."""
    await known_phrases(world, monkeypatch)
    await archive_a_day(world)
    await world.hostile()
    token = await world.desk.sign_in.add_token("model", ("read",), "Anna", world.clock.now())
    before = await _kept(world)
    async with (
        world.served() as address,
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
    ):
        listed = (await client.list_tools()).tools
        assert {tool.name for tool in listed} == TOOLS
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed)
        events = await asked(client, "search_events", words="odesa")
        assert events[0]["event"] == "e0" and "Odesa" in events[0]["untrusted"]["headline"]
        event = await asked(client, "get_event", event="e0")
        assert {row["id"] for row in event["alerts"]} == {"a0", "a0u"}
        assert len(event["stories"]) == 3 and event["stories"][0]["untrusted"]["title"]
        why = await asked(client, "explain_story", story="d1")
        assert why["story"]["id"] == "d1" and why["untrusted"]["verdict"]
        hits = await asked(client, "explain_story", story="harbour")
        assert hits["stories"]
        topics = await asked(client, "list_topics")
        assert [one["id"] for one in topics] == ["energy", "talks", "shipping"]
        tried = await asked(client, "try_topic", topic="energy", headline="Power station hit")
        assert tried["headline"]["untrusted"]["title"] == "Power station hit"
        back = await asked(client, "backtest_topic", topic="energy", days=2)
        assert back["stories"] == 6 and back["alerts_as_it_is"] == back["alerts_as_proposed"]
        health = await asked(client, "feed_health", only_trouble=False)
        assert {row["feed"] for row in health["list"]} == {"example-world", "coast"}
        for tool, arguments, words in (
            ("get_event", {"event": "nope"}, "no event"),
            ("get_event", {}, "event: Field required"),
            ("search_events", {"day": "today"}, "is not a day"),
            ("search_events", {"colour": "red"}, "colour"),
            ("try_topic", {"topic": "energy", "yaml": "{"}, "not YAML"),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error and words in result.content[0].text
    assert await _kept(world) == before


async def _kept(world: DeskWorld) -> dict[bytes, Any]:
    """Return what the service keeps, without the vectors that an embedder was asked for."""
    store, found = world.store, dict[bytes, Any]()
    async for name in store.scan_iter(world.keys("*")):
        match await store.type(name):
            case b"hash" if b"textvec" not in name and b":wanted" not in name:
                found[name] = await store.hgetall(name)
            case b"zset":
                found[name] = await store.zrange(name, 0, -1, withscores=True)
            case b"string":
                found[name] = await store.get(name)
            case b"stream":
                found[name] = await store.xlen(name)
    return found


async def test_hostile_headlines_stay_below_untrusted(world: DeskWorld) -> None:
    """A headline that gives orders is found under `untrusted` alone, clean of tricks."""
    await world.hostile()
    token = await world.desk.sign_in.add_token("model", ("read",), "Anna", world.clock.now())
    async with world.browser(headers={"authorization": f"Bearer {token}"}) as client:
        for tool, arguments in (
            ("search_events", {"topic": "talks"}),
            ("get_event", {"event": "e101"}),
        ):
            call = {"name": tool, "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
            answer = (await client.post("/mcp", json=body)).json()
            text = answer["result"]["content"][0]["text"]
            assert "gnip.exe" in text and "\u202e" not in text and "\\u202e" not in text
            assert "gnip.exe" not in json.dumps(_ours(json.loads(text)))
    assert any("gnip.exe" in one for one in HOSTILE)


def _ours(data: Any) -> Any:
    """Return what is left without everything under `untrusted`."""
    if isinstance(data, dict):
        return {key: _ours(value) for key, value in data.items() if key != "untrusted"}
    return [_ours(one) for one in data] if isinstance(data, list) else data


KEYS = some.sampled_from(["title", "summary", "author", "why", "detail", "sources", "x"])
DATA = some.recursive(
    some.just("STRANGER") | some.integers(),
    lambda inner: some.dictionaries(KEYS, inner, max_size=3) | some.lists(inner, max_size=3),
    max_leaves=12,
)


@given(some.dictionaries(KEYS, DATA, max_size=4))
def test_no_text_of_a_stranger_escapes(data: Any) -> None:
    """Wherever a text stands in what a tool found, it ends up under `untrusted`."""
    assert "STRANGER" not in json.dumps(_ours(marked(data)))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/drop"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}}', -32602),
        (b"[" * 50_000, -32700),
    ],
)
async def test_what_cannot_be_read_is_an_error(world: DeskWorld, body: bytes, code: int) -> None:
    """Broken messages get the protocol's error codes; a notification gets 202 and nothing."""
    token = await world.desk.sign_in.add_token("model", ("read",), "Anna", world.clock.now())
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    async with world.browser(headers=headers) as client:
        assert (await client.post("/mcp", content=body)).json()["error"]["code"] == code
        word = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await client.post("/mcp", json=word)).status_code == 202
        assert (await client.get("/mcp")).status_code == 405


@pytest.mark.slow
async def test_a_client_of_the_command_reads(tmp_path: Path, valkey_url: str) -> None:
    """`wirewatch mcp` speaks the protocol on standard input and output and ends with its input."""
    settings = {"store": {"url": valkey_url, "prefix": "mcp-test"}}
    (tmp_path / "wirewatch.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "topics.yaml").write_text("topics: [{id: talks, name: Talks on a ceasefire}]\n")
    (tmp_path / "feeds.yaml").write_text("feeds: []\n")
    command = ["-m", "monitor.cli", "mcp", "--config", str(tmp_path)]
    server = StdioServerParameters(command=sys.executable, args=command, env={"PYTHONPATH": "."})
    async with Client(stdio_client(server)) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        (topic,) = await asked(client, "list_topics")
        assert topic["name"] == "Talks on a ceasefire"
        assert await asked(client, "search_events") == []
