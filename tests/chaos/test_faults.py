"""Nothing is lost while the store hangs or the model fails: a few rows of `make faults`."""

from __future__ import annotations

import pytest

from tests.chaos.faults import FAULTS, Result, suffer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


@pytest.mark.parametrize("fault", ["stopped", "paused", "model", "tarpits"])
async def test_no_alert_is_lost_to_a_fault(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The real service goes through it: 0 lost, Slack 0 twice, no dead letter, nothing stands."""
    assert fault in FAULTS
    result = await suffer(fault)
    with capsys.disabled():
        print(f"\n{Result.HEAD}\n{result.row()}")
    assert result.fine, result.row()
