"""Nothing is lost while everything is killed: the short version of `tests/chaos/harness.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.chaos.boundaries import BOUNDARIES
from tests.chaos.harness import Chaos

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# In a short run each of these is struck; the full run (see harness.py) strikes all.
SHORT = (
    "poller: after handing stories over",
    "embedder: before handing vectors over",
    "triage: after committing a batch",
    "notifier: after posting to Slack",
    "notifier: after mailing",
)


async def test_no_alert_is_lost_when_everything_is_killed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With kills at boundaries, of the store, and faults at the channels: 0 lost, Slack 0 twice."""
    chosen = [item for item in BOUNDARIES if item.name in SHORT]
    assert len(chosen) == len(SHORT)
    with tempfile.TemporaryDirectory(prefix="wwc-") as folder:
        chaos = Chaos(Path(folder), seed=7, lease=3.0, faults=0.15)
        result = await chaos.run(200, chosen, kills=0, store_kills=1)
    with capsys.disabled():
        print("\n" + result.table())
    assert result.analysed == result.stories
    assert result.decided > result.stories / 3, "too few alerts to prove anything"
    assert result.lost == {"slack": 0, "mail": 0}
    assert result.elsewhere == {"slack": 0, "mail": 0}, "one alert in two different messages"
    assert result.doubled["slack"] == 0
    assert result.doubled["mail"] <= result.marked["mail"]
    assert sum(kill.reached for kill in result.kills) >= len(chosen), result.table()
