"""`wirewatch alerts` lists what was told, and exports it; `topics` prints ids that are whole."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli import main
from monitor.history.history_store import HistoryStore
from monitor.store.client import connect
from monitor.store.keys import Keys
from monitor.store.transaction import apply
from tests.support.alerts import alert


@pytest.fixture
def folder(tmp_path: Path, keys: Keys, valkey_url: str) -> Path:
    """A configuration on a store that holds three alerts, one of them hostile, one old."""
    (tmp_path / "wirewatch.yaml").write_text(
        f"store: {{url: '{valkey_url}', prefix: {keys.prefix}}}\n"
    )
    (tmp_path / "feeds.yaml").write_text("- https://wire.example/rss\n")
    name = "Attacks on ships and on ports of the Red Sea and the Black Sea"
    (tmp_path / "topics.yaml").write_text(f"- {{name: {name}, languages: [en]}}\n- Grid\n")
    now = time.time()

    def told(name: str, title: str, ago: float, topic: str) -> object:
        made = alert(name, decided_at=now - ago, topic=topic)
        return replace(made, story=replace(made.story, title=title))

    async def keep() -> None:
        client = connect(valkey_url)
        alerts = [
            told("a", "Odesa grid is dark", 60, "grid"),
            told("b", "\x1b[31mred\x1b[0m [bold]ferry[/bold] talks", 90, "ferries"),
            told("c", "Long ago", 30 * 86400, "grid"),
        ]
        await apply(client, HistoryStore(client, keys).alert_commands(alerts, now))  # type: ignore[arg-type]
        await client.aclose()

    asyncio.run(keep())
    return tmp_path


def run(folder: Path, *words: str) -> str:
    """What a command prints."""
    said = CliRunner().invoke(main, [*words, "--config", str(folder)])
    assert said.exit_code == 0, said.output
    return said.stdout


def test_alerts_are_listed_searched_and_exported(folder: Path) -> None:
    """The last week by default; words, topic and time narrow; CSV and JSON have the fields."""
    listed = run(folder, "alerts")
    assert "Odesa grid is dark" in listed and "Long ago" not in listed
    assert "\x1b" not in listed and "[bold]ferry[/bold] talks" in listed
    assert "Long ago" in run(folder, "alerts", "--since", "60d", "--topic", "grid")
    assert "Odesa" not in run(folder, "alerts", "ferry", "TALKS")
    assert "No alert in the last 1h matches." in run(folder, "alerts", "nothing", "--since", "1h")
    rows = list(csv.DictReader(io.StringIO(run(folder, "alerts", "--csv", "--since", "60d"))))
    assert [row["title"] for row in rows][::2] == ["Odesa grid is dark", "Long ago"]
    lines = [json.loads(line) for line in run(folder, "alerts", "--json").splitlines()]
    assert [line["topic"] for line in lines] == ["grid", "ferries"]


def test_ids_are_never_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns, the id of every topic and feed stands whole on one line."""
    monkeypatch.setenv("COLUMNS", "80")
    listed = run(folder, "topics", "list")
    assert "2 topics" in listed and "only en" in " ".join(listed.split())
    topic = "attacks-on-ships-and-on-ports-of-the-red-sea-and-the-black-sea"
    assert any(line.startswith(topic) for line in listed.splitlines())
    assert all(len(line) <= 80 for line in listed.splitlines())
    assert "wire-example" in run(folder, "feeds", "list")
