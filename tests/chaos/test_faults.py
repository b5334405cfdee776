"""Nothing is lost while the store hangs or the model fails: two rows of `make faults`."""

from __future__ import annotations

import pytest

from tests.chaos.faults import FAULTS, FaultResult, suffer, told_by


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.parametrize("fault", ["stopped", "model"])
async def test_no_alert_is_lost_to_a_fault(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The real service goes through it: 0 lost, Slack 0 twice, no dead letter, nothing stands."""
    assert fault in FAULTS
    result = await suffer(fault)
    with capsys.disabled():
        print(f"\n{FaultResult.HEAD}\n{result.row()}")
    assert result.fine, result.row()


def test_what_a_digest_tells_is_told() -> None:
    """On its first page, on a later one, or counted as one of too many; by itself too: twice."""
    inside = {"digest-1@slack": ["a", "b", "counted"], "digest-1-2@slack": ["c"]}
    told = told_by(
        [("digest-1@slack", 5.0), ("digest-1-2@slack", 6.0), ("c@slack", 7.0)], "slack", inside
    )
    assert told == [("a", 5.0), ("b", 5.0), ("counted", 5.0), ("c", 6.0), ("c", 7.0)]
