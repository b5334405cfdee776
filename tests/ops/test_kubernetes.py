"""The manifests for Kubernetes agree with the service, and are as hard as the compose file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config.load import examine
from monitor.store.keys import Keys

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OBJECTS: list[dict[str, Any]] = [
    item
    for path in sorted(FOLDER.glob("*.yaml"))
    for item in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]
STAGES = ("poller", "embedder", "triage", "notifier")


def _of(kind: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in OBJECTS if item["kind"] == kind}


def test_everything_is_listed_for_kustomize() -> None:
    """A file that is not listed would never be applied."""
    listed = set(_kustomization()["resources"])
    assert listed == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    for path in _kustomization()["configMapGenerator"][0]["files"]:
        assert (FOLDER / path).exists()


def _kustomization() -> dict[str, Any]:
    return next(item for item in OBJECTS if item["kind"] == "Kustomization")


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_hardened_probed_and_bounded(stage: str) -> None:
    """Not root, read-only, no capabilities, a memory limit, three probes, room to stop in."""
    pod = _of("Deployment")[stage]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["terminationGracePeriodSeconds"] > 10
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert container["args"] == ["run", "--config", "/config", "--only", stage]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"


def test_drains_leave_one_of_each_stage() -> None:
    """Two of everything, and a budget that lets one go at a time."""
    for stage in STAGES:
        assert _of("Deployment")[stage]["spec"]["replicas"] >= 2
        assert _of("PodDisruptionBudget")[stage]["spec"]["maxUnavailable"] == 1


def test_the_embedder_scales_on_the_stream_the_service_uses() -> None:
    """The key in the scaler is the key in the code."""
    trigger = _of("ScaledObject")["embedder"]["spec"]["triggers"][0]
    assert trigger["metadata"]["stream"] == Keys()("stream", "stories")


def test_the_store_is_persistent_and_never_evicts() -> None:
    """Append-only and noeviction on a volume; only the stages and the scaler reach it."""
    pod = _of("StatefulSet")["store"]["spec"]["template"]["spec"]
    command = pod["containers"][0]["args"][0]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "store" in _of("NetworkPolicy")


def test_the_example_configuration_is_sound() -> None:
    """What is shipped as a ConfigMap starts as it is."""
    reading = examine(FOLDER / "config", {})
    assert [str(problem) for problem in reading.problems if problem.severity == "error"] == []
    assert reading.config.feeds
    assert reading.config.topics
