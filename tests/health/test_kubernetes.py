"""The manifests for Kubernetes agree with the service, and are as hard as the compose file."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from monitor.config.load import examine
from monitor.stages import PIPELINE
from monitor.store.keys import Keys

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KEDA = FOLDER.with_name("kubernetes-keda")


def _read(folder: Path) -> list[dict[str, Any]]:
    return [
        item
        for path in sorted(folder.glob("*.yaml"))
        for item in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


OBJECTS = _read(FOLDER)
OTHERS = ("Kustomization",)  # kinds the API server does not know by itself


def _of(kind: str, folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    objects = OBJECTS if folder == FOLDER else _read(folder)
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == kind}


def test_everything_is_listed_for_kustomize() -> None:
    """A file that is not listed would never be applied."""
    listed = set(_kustomization()["resources"])
    assert listed == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    for path in _kustomization()["configMapGenerator"][0]["files"]:
        assert (FOLDER / path).exists()


def _kustomization() -> dict[str, Any]:
    return next(item for item in OBJECTS if item["kind"] == "Kustomization")


@pytest.mark.parametrize("stage", PIPELINE)
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
    for stage in PIPELINE:
        assert _of("Deployment")[stage]["spec"]["replicas"] >= 2
        assert _of("PodDisruptionBudget")[stage]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("stage", PIPELINE)
def test_budgets_select_the_pods_they_are_meant_for(stage: str) -> None:
    """A budget whose selector matches no pod protects nothing."""
    labels = _of("Deployment")[stage]["spec"]["template"]["metadata"]["labels"]
    wanted = _of("PodDisruptionBudget")[stage]["spec"]["selector"]["matchLabels"]
    assert wanted["part"] == stage
    assert wanted.items() <= labels.items()


def test_what_grows_with_the_work_is_there_and_never_below_two() -> None:
    """Both scalers aim at deployments that exist, and keep the two a budget needs."""
    poller = _of("HorizontalPodAutoscaler")["poller"]["spec"]
    plain = _of("HorizontalPodAutoscaler")["embedder"]["spec"]
    embedder = _of("ScaledObject", KEDA)["embedder"]["spec"]
    for target, least, most in (
        (poller["scaleTargetRef"]["name"], poller["minReplicas"], poller["maxReplicas"]),
        (plain["scaleTargetRef"]["name"], plain["minReplicas"], plain["maxReplicas"]),
        (
            embedder["scaleTargetRef"]["name"],
            embedder["minReplicaCount"],
            embedder["maxReplicaCount"],
        ),
    ):
        assert target in _of("Deployment")
        assert 2 <= least < most
    requests = _of("Deployment")["poller"]["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert requests["requests"]["cpu"], "a share of nothing cannot be measured"


def test_the_embedder_scales_on_the_stream_the_service_uses() -> None:
    """The key in the scaler is the key in the code."""
    trigger = _of("ScaledObject", KEDA)["embedder"]["spec"]["triggers"][0]
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


@pytest.mark.parametrize("version", [all_versions()[0], all_versions()[-1]])
def test_every_manifest_fits_the_schema_of_kubernetes(version: str) -> None:
    """The API's own JSON schemas, of the oldest and newest release at hand, know every key."""
    checked = [item for item in OBJECTS if item["kind"] not in OTHERS]
    for item in checked:
        kubernetes_validate.validate(item, version, strict=True)
    assert {item["kind"] for item in checked} >= {"Deployment", "StatefulSet", "NetworkPolicy"}


def test_the_schemas_notice_a_misspelt_key() -> None:
    """The strict schemas refuse a key that the API server would drop in silence."""
    wrong = copy.deepcopy(_of("Deployment")["poller"])
    container = wrong["spec"]["template"]["spec"]["containers"][0]
    container["readynessProbe"] = container.pop("readinessProbe")
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, all_versions()[-1], strict=True)


def test_the_resources_of_keda_hold_together() -> None:
    """There is no schema for them here: what they name exists, and they have no other keys.

    https://keda.sh/docs/latest/scalers/redis-streams/ and its page on authentication say which.
    """
    scaled = _of("ScaledObject", KEDA)["embedder"]
    access = _of("TriggerAuthentication", KEDA)["store"]
    assert scaled["apiVersion"] == access["apiVersion"] == "keda.sh/v1alpha1"
    spec, target = scaled["spec"], _of("Deployment")[scaled["spec"]["scaleTargetRef"]["name"]]
    assert set(spec) == {
        "scaleTargetRef", "minReplicaCount", "maxReplicaCount", "cooldownPeriod", "triggers",
    }  # fmt: skip
    assert target["spec"]["replicas"] == spec["minReplicaCount"] < spec["maxReplicaCount"]
    (trigger,) = spec["triggers"]
    assert set(trigger) == {"type", "metadata", "authenticationRef"}
    assert trigger["type"] == "redis-streams"
    assert set(trigger["metadata"]) == {"address", "stream", "streamLength"}
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    service, _, space = trigger["metadata"]["address"].partition(":")[0].partition(".")
    assert service in _of("Service") and space == f"{_kustomization()['namespace']}.svc"
    assert trigger["authenticationRef"] == {"name": "store"}
    (secret,) = access["spec"]["secretTargetRef"]
    secrets = {one["name"]: one for one in _kustomization()["secretGenerator"]}
    made = secrets["wirewatch-store"]
    assert secret["parameter"] == "password" and secret["name"] == made["name"]
    assert secret["key"] in {literal.partition("=")[0] for literal in made["literals"]}


def test_keda_takes_the_place_of_one_autoscaler() -> None:
    """Without KEDA nothing of it is applied; with it, the embedder's own autoscaler goes."""
    assert not _of("ScaledObject") and not _of("TriggerAuthentication")
    plan = yaml.safe_load((KEDA / "kustomization.yaml").read_text(encoding="utf-8"))
    assert plan["resources"] == ["../kubernetes", "embedder.yaml"]
    gone = yaml.safe_load(plan["patches"][0]["patch"])
    assert gone["$patch"] == "delete"
    assert gone["metadata"]["name"] in _of(gone["kind"])


def test_no_password_has_a_default_and_each_stage_has_only_its_own_secrets() -> None:
    """Secrets are made empty, an empty password starts no store, and triage knows no token."""
    made = {one["name"]: one["literals"] for one in _kustomization()["secretGenerator"]}
    assert made == {
        "wirewatch-store": ["STORE_PASSWORD="], "wirewatch-feeds": [], "wirewatch-channels": [],
    }  # fmt: skip
    store = _of("StatefulSet")["store"]["spec"]["template"]["spec"]["containers"][0]
    assert 'test -n "$STORE_PASSWORD"' in store["args"][0]
    own = {}
    for stage in PIPELINE:
        container = _of("Deployment")[stage]["spec"]["template"]["spec"]["containers"][0]
        own[stage] = [one["secretRef"]["name"] for one in container.get("envFrom", ())]
        env = {one["name"]: one.get("value") for one in container["env"]}
        assert env["WIREWATCH_SECRETS"] == ("all" if own[stage] else "none")
    assert own == {
        "poller": ["wirewatch-feeds"], "embedder": [], "triage": [],
        "notifier": ["wirewatch-channels"],
    }  # fmt: skip
