"""Prometheus' own tool runs the alert rules and the dashboard's tiles on what processes export."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from monitor.stages import PIPELINE
from tests.docs.pages import ROOT

MONITORING = ROOT / "deploy/monitoring"
RULES: dict[str, Any] = {
    rule["alert"]: rule
    for group in yaml.safe_load((MONITORING / "rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
STAGES = ("poller", "embedder", "triage", "triage-standby", "notifier")

Series = dict[str, float]


@cache
def _exported() -> Mapping[str, float]:
    """Return what a process exports before it has done anything, by series."""
    script = (
        "import sys; from monitor.observability import metrics; "
        "sys.stdout.buffer.write(metrics.exposition()[0])"
    )
    page = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {
        _series(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(page.stdout)
        for sample in family.samples
        if sample.name.startswith("wirewatch_")
    }


def _series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"


def _scraped(service: Mapping[str, Mapping[str, float]]) -> list[dict[str, str]]:
    """Return the series of a service's processes as a scrape would have them, for ten minutes."""
    rows = []
    for stage, figures in service.items():
        own = f'job="wirewatch",instance="{stage}:9464",stage="{stage}"}}'
        for series, value in {"up{}": 1.0, **_exported(), **figures}.items():
            name = series[:-1] + ("" if series.endswith("{}") else ",") + own
            rows.append({"series": name, "values": f"{value:g}+0x40"})
    return rows


def _healthy() -> dict[str, Series]:
    """A service at work: every process knows of itself, the poller watches and sends the canary."""
    found: dict[str, Series] = {
        stage: {"wirewatch_store_up{}": 1, "wirewatch_config_ok{}": 1} for stage in STAGES
    }
    found["poller"] |= {"wirewatch_canary_ok{}": 1} | {
        f'wirewatch_workers_seen{{worker="{stage}"}}': 1 for stage in PIPELINE
    }
    found["embedder"]["wirewatch_model_ready{}"] = 1
    found["triage"]['wirewatch_lease_held{lease="triage"}'] = 1
    return found


def _run(folder: Path, service: Mapping[str, Series], **tests: Any) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.fail("promtool is not installed: apt install prometheus")
    whole = {
        "rule_files": [str(MONITORING / "rules.yml")],
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": _scraped(service), **tests}],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    done = subprocess.run(
        [tool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _rings(*names: str, at: str = "9m") -> list[dict[str, Any]]:
    """Expect these alerts; they are without templates."""
    return [
        {
            "eval_time": at,
            "alertname": name,
            "exp_alerts": [
                {
                    "exp_labels": RULES[name]["labels"],
                    "exp_annotations": RULES[name]["annotations"],
                }
            ],
        }
        for name in names
    ]


def _silent(*names: str, at: str = "9m") -> list[dict[str, Any]]:
    return [{"eval_time": at, "alertname": name, "exp_alerts": []} for name in names]


def _tiles() -> dict[str, str]:
    """Return the queries of the tiles that are green or red, by title."""
    board = json.loads((MONITORING / "grafana/dashboards/wirewatch.json").read_text("utf-8"))
    return {
        panel["title"]: panel["targets"][0]["expr"]
        for panel in board["panels"]
        if panel.get("fieldConfig", {}).get("defaults", {}).get("unit") == "bool_yes_no"
    }


def _shows(**colours: int) -> list[dict[str, Any]]:
    return [
        {"expr": _tiles()[name], "eval_time": "9m", "exp_samples": [{"labels": "{}", "value": is_}]}
        for name, is_ in colours.items()
    ]


def test_a_healthy_service_is_green_and_rings_for_nothing(tmp_path: Path) -> None:
    """With five processes, of which each exports every gauge, set or not."""
    tiles = _shows(**dict.fromkeys(_tiles(), 1))
    assert {"Canary", "Model", "Triage leads"} <= set(_tiles())
    _run(tmp_path, _healthy(), alert_rule_test=_silent(*RULES), promql_expr_test=tiles)


def test_a_lost_canary_is_red_whoever_else_runs(tmp_path: Path) -> None:
    """The one that sends it says that it was lost; those that do not send any do not hide it."""
    service = _healthy()
    service["poller"]["wirewatch_canary_ok{}"] = 0
    _run(tmp_path, service, promql_expr_test=_shows(Canary=0))


def test_a_service_that_never_had_a_leader_or_a_model_rings(tmp_path: Path) -> None:
    """No process ever held triage's lease or loaded a model: what is there from the start rings."""
    assert _exported()['wirewatch_lease_held{lease="triage"}'] == 0
    service = _healthy()
    del service["triage"]['wirewatch_lease_held{lease="triage"}']
    del service["embedder"]["wirewatch_model_ready{}"]
    names = ("WirewatchNoTriageLeads", "WirewatchModelMissing")
    tiles = _shows(**{"Triage leads": 0, "Model": 0})
    _run(tmp_path, service, alert_rule_test=_rings(*names), promql_expr_test=tiles)


def test_an_embedder_that_starts_over_and_over_rings(tmp_path: Path) -> None:
    """Without its model it is seldom there to be scraped; the others' figures ring all the same."""
    service = _healthy()
    del service["embedder"]
    _run(tmp_path, service, alert_rule_test=_rings("WirewatchModelMissing"))


def test_what_the_canary_waits_for_is_not_an_alert_that_is_late(tmp_path: Path) -> None:
    """The canary's own channel has an alert of its own, and cannot be tried by `test-alert`."""
    service = _healthy()
    service["notifier"]['wirewatch_outbox_oldest_seconds{channel="_canary"}'] = 900
    _run(tmp_path, service, alert_rule_test=_silent("WirewatchNotificationsOld"))
