"""Subscriptions as operators meet them: in YAML and on the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from monitor.alerting.subscription_store import SubscriptionStore
from monitor.cli import main
from monitor.config.load import examine
from monitor.config.subscription_schema import StoredSubscription
from monitor.store.client import connect
from monitor.store.keys import Keys
from tests.delivery.test_subscriptions import ANA, BEN, TOPICS
from tests.support.alerts import FIRST


def test_the_commands_show_who_is_told(tmp_path: Path, valkey_url: str, keys: Keys) -> None:
    """`subscriptions list` and `remove`, and `routes`: people stand beside the channels."""
    settings = {
        "store": {"url": valkey_url, "prefix": keys.prefix},
        "channels": {"world": {"type": "slack", "token": "xoxb-1", "channel": "C0DESK"}},
        "subscriptions": {"ben": {"slack": "U0BEN", "min_severity": "major"}},
    }
    (tmp_path / "wirewatch.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "topics.yaml").write_text(yaml.safe_dump({"topics": TOPICS}))
    (tmp_path / "feeds.yaml").write_text(yaml.safe_dump({"feeds": ["https://x.example/rss"]}))

    def wirewatch(*words: str) -> Any:
        return CliRunner().invoke(main, [*words, "--config", str(tmp_path)])

    async def subscribe() -> None:
        client = connect(valkey_url)
        one = StoredSubscription(slack="U0ANA", by="ana", digest="08:00", topics="us-*")
        await SubscriptionStore(client, keys).add(one)
        await client.aclose()

    asyncio.run(subscribe())
    rows = json.loads(wirewatch("subscriptions", "list", "--json").output)
    assert [(row["name"], row["channel"], row["takes"], row["made_by"]) for row in rows] == [
        ("ben", BEN, "all from major at once", "wirewatch.yaml"),
        ("#1", ANA, "us-* digest 08:00", "ana"),
    ]
    said = wirewatch("routes", "test", "--topic", FIRST.topic, "--severity", "notable").output
    assert "subscription #1" in said and "digested" in said and "subscription ben" not in said
    tree = wirewatch("routes", "show").output
    assert "subscription ben" in tree and "all from major" in tree
    assert wirewatch("subscriptions", "remove", "ben").exit_code == 1
    assert wirewatch("subscriptions", "remove", "7").exit_code == 1
    assert "over (U0ANA: us-* digest 08:00)" in wirewatch("subscriptions", "remove", "1").output
    assert "ended" in wirewatch("subscriptions", "list").output


def test_wrong_subscriptions_are_named_with_their_line(tmp_path: Path) -> None:
    """Every mistake has file and line; a bad subscription stops no other."""
    text = """\
channels:
  world: {type: slack, token: "${TOKEN}", channel: C0DESK}
subscriptions:
  ana: {slack: ana}
  ben: {mail: ben@example.org}
  cas: {slack: U0CAS, mail: cas@example.org}
  dan: {slack: U0DAN, topics: [enrgy-strikes]}
  eve: {slack: U0EVE, digest: "8am"}
  fay: {slack: U0FAY, paused: tomorrow}
  gus: {slack: U0GUS, via: word}
  hal: {slack: U0HAL, min_severity: grave}
  ian: {slack: U0IAN, timezone: Londn}
  joe: {}
  kim: {slack: U0KIM, colour: red}
  lou: {slack: U0LOU, topics: [energy-*], digest: ["8:00"], paused: "22:00-07:00"}
"""
    (tmp_path / "wirewatch.yaml").write_text(text)
    (tmp_path / "topics.yaml").write_text(yaml.safe_dump({"topics": TOPICS}))
    reading = examine(tmp_path, {"TOKEN": "xoxb-1"})
    found = {problem.line: problem.message for problem in reading.errors}
    wanted = {4: "member ID", 5: "channel of type email", 6: "either slack or mail",
              7: 'did you mean "energy-strikes"?', 8: "time of day", 9: "write 22:00-07:00",
              10: 'did you mean "world"?', 11: "choose one of", 12: "IANA", 13: "either slack",
              14: 'unknown key "colour"'}  # fmt: skip
    assert set(found) == set(wanted), found
    assert {line: found[line] for line in wanted if wanted[line] not in found[line]} == {}
    assert "lou" in reading.config.subscriptions and "kim" not in reading.config.subscriptions
    assert reading.config.subscriptions["lou"].digest == ("08:00",)
