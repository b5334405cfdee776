"""Stages that send nothing know channels by name and get none of their secrets."""

from __future__ import annotations

from pathlib import Path

from monitor.config.load import examine

SETTINGS = """\
channels:
  desk: {type: slack, token: "${TOKEN}", channel: C0123ABCD}
  hook: {type: slack_webhook, url: "${HOOK}"}
  mail: {type: email, host: m.example, from: a@b.example, to: c@d.example, username: u,
         password: "${MAIL}"}
ops: {notices_to: desk}
"""


def test_without_secrets_every_channel_is_known_and_none_can_be_reached(tmp_path: Path) -> None:
    """With WIREWATCH_SECRETS=none, nothing is missing and every stand-in leads nowhere."""
    (tmp_path / "wirewatch.yaml").write_text(SETTINGS)
    (tmp_path / "feeds.yaml").write_text("- https://wire.example/rss?key=${KEY}\n")
    (tmp_path / "topics.yaml").write_text("- Floods\n")
    reading = examine(tmp_path, {"WIREWATCH_SECRETS": "none", "TOKEN": ""})
    assert [problem for problem in reading.problems if problem.severity == "error"] == []
    channels = reading.config.channels
    assert set(channels) == {"desk", "hook", "mail"}
    assert channels["hook"].url.get_secret_value() == "https://HOOK.invalid/"  # type: ignore[union-attr]
    assert len(reading.config.feeds) == 1
    assert set(examine(tmp_path, {"WIREWATCH_SECRETS": "all"}).config.channels) == set()
