"""The Helm chart, as `helm template` rendered it: fits Kubernetes, hardened, no default password.

helm itself is no Python package, so what it made is kept in tests/golden and carries the checksum
of the chart it was made from.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from monitor.config.load import examine
from monitor.stages import PIPELINE
from monitor.store.keys import Keys

ROOT = Path(__file__).parents[2]
CHART, GOLDEN = ROOT / "deploy" / "helm", ROOT / "tests" / "golden"


def rendered(name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the objects of a rendered chart by kind and name."""
    found = yaml.safe_load_all((GOLDEN / name).read_text(encoding="utf-8"))
    return {(item["kind"], item["metadata"]["name"]): item for item in found if item}


def pod(stage: str, name: str = "helm.yaml") -> dict[str, Any]:
    """Return the pod of a stage."""
    made: dict[str, Any] = rendered(name)["Deployment", f"ww-{stage}"]["spec"]["template"]["spec"]
    return made


@pytest.mark.parametrize("name", ["helm.yaml", "helm-keda.yaml"])
def test_what_is_kept_was_made_from_this_chart(name: str) -> None:
    """After an edit of the chart: deploy/render-chart.sh."""
    files = sorted(path for path in CHART.rglob("*") if path.is_file())
    files.sort(key=lambda path: path.relative_to(ROOT).as_posix())
    now = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    first = (GOLDEN / name).read_text(encoding="utf-8").splitlines()[0]
    assert first.endswith(now), "render the chart anew: deploy/render-chart.sh"


@pytest.mark.parametrize("version", [all_versions()[0], all_versions()[-1]])
def test_every_object_fits_the_schema_of_kubernetes(version: str) -> None:
    """By default the chart needs nothing but Kubernetes: no resource is KEDA's."""
    made = rendered("helm.yaml")
    for item in made.values():
        kubernetes_validate.validate(item, version, strict=True)
    assert {kind for kind, _ in made} == {
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy",
        "PodDisruptionBudget", "Service", "StatefulSet",
    }  # fmt: skip


def test_with_keda_only_the_embedders_scaler_differs() -> None:
    """It follows the stream that the service uses, and no autoscaler competes with it."""
    plain, keda = rendered("helm.yaml"), rendered("helm-keda.yaml")
    assert set(keda) - set(plain) == {
        ("ScaledObject", "ww-embedder"),
        ("TriggerAuthentication", "ww-store"),
    }
    assert set(plain) - set(keda) == {("HorizontalPodAutoscaler", "ww-embedder")}
    (trigger,) = keda["ScaledObject", "ww-embedder"]["spec"]["triggers"]
    assert trigger["metadata"]["stream"] == Keys()("stream", "stories")
    assert trigger["metadata"]["address"] == "ww-store.news.svc:6379"


@pytest.mark.parametrize("stage", PIPELINE)
def test_every_stage_is_hardened_probed_and_bounded(stage: str) -> None:
    """Not root, read-only, no capabilities, a memory limit, probes, a budget for drains."""
    made = pod(stage)
    (container,) = made["containers"]
    assert made["securityContext"]["runAsNonRoot"] is True
    assert made["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert container["args"][-1] == stage
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
    assert (
        rendered("helm.yaml")["PodDisruptionBudget", f"ww-{stage}"]["spec"]["maxUnavailable"] == 1
    )


def test_each_container_has_only_its_own_secrets() -> None:
    """Feeds' for pollers, channels' for notifiers, the store's password for all who ask it."""
    own = {
        stage: [one["secretRef"]["name"] for one in pod(stage)["containers"][0].get("envFrom", ())]
        for stage in PIPELINE
    }
    assert own == {
        "poller": ["feeds-secret"], "embedder": [], "triage": [], "notifier": ["channels-secret"],
    }  # fmt: skip
    for stage in PIPELINE:
        env = {one["name"]: one for one in pod(stage)["containers"][0]["env"]}
        assert env["WIREWATCH_SECRETS"]["value"] == ("all" if own[stage] else "none")
        assert env["STORE_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "store-secret"


def test_no_password_has_a_default() -> None:
    """The chart makes no Secret and gives none a value; the store refuses an empty password."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert values["store"]["passwordSecret"] == values["store"]["urlSecret"] == ""
    assert values["secrets"] == {"feeds": "", "channels": ""}
    store = rendered("helm.yaml")["StatefulSet", "ww-store"]["spec"]["template"]["spec"]
    assert 'test -n "$STORE_PASSWORD"' in store["containers"][0]["args"][0]


def test_the_configuration_arrives_as_it_was_given(tmp_path: Path) -> None:
    """The ConfigMap holds the files, and the service can read them."""
    files = rendered("helm.yaml")["ConfigMap", "ww-config"]["data"]
    for name, text in files.items():
        assert text.strip() == (GOLDEN / "helm-config" / name).read_text(encoding="utf-8").strip()
        (tmp_path / name).write_text(text, encoding="utf-8")
    secrets = {"SLACK_WEBHOOK_URL": "https://hooks.example/x", "WIRE_KEY": "k"}
    assert not [one for one in examine(tmp_path, secrets).problems if one.severity == "error"]
