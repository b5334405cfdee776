"""What is provisioned is valid, hardened, and speaks of metrics that exist."""

from __future__ import annotations

import inspect
import json
import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from monitor.config.load import examine
from monitor.config.schema import DeskSettings
from monitor.desk.people import is_trusted
from tests.docs.pages import blocks
from tests.support.metric_catalogue import catalogue

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
WORKERS = ("poller", "embedder", "triage", "triage-standby", "notifier", "desk")


def _series() -> set[str]:
    names: set[str] = set()
    for name, kind, _, _ in catalogue():
        names |= (
            {f"{name}{end}" for end in ("_bucket", "_sum", "_count")}
            if kind == "histogram"
            else {name}
        )
    return names | {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}


def _metrics_in(query: str) -> set[str]:
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", query)
    bare = re.sub(r"\b(by|without)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"[a-zA-Z_:][\w:]*(?!\w*\s*\()", bare)
    return {w for w in words if w not in {"bool", "and", "or", "unless", "on", "ignoring"}} - {
        "topk"
    }


def _queries() -> list[tuple[str, str]]:
    board = json.loads((MONITORING / "grafana/dashboards/wirewatch.json").read_text())
    found = [
        (panel["title"], target["expr"])
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]
    rules = yaml.safe_load((MONITORING / "rules.yml").read_text())
    found += [(rule["alert"], rule["expr"]) for group in rules["groups"] for rule in group["rules"]]
    return found


@pytest.mark.parametrize(("title", "query"), _queries())
def test_every_query_names_metrics_that_exist(title: str, query: str) -> None:
    """A renamed metric cannot leave a dead panel or an alert that never fires."""
    named = _metrics_in(query)
    assert named, query
    assert named <= _series(), named - _series()


def test_labels_in_queries_exist() -> None:
    """A label that a metric does not have would silently select nothing."""
    labels = {name: set(names) for name, _, names, _ in catalogue()}
    for title, query in _queries():
        for series, selector in re.findall(r"(wirewatch_\w+)\{([^}]*)\}", query):
            base = re.sub(r"_(bucket|sum|count)$", "", series)
            used = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)", selector))
            assert used <= labels[base], (title, used)


def _grouped(query: str) -> list[tuple[set[str], set[str]]]:
    """Return (labels, the metrics they are taken from) of every `by (…)`."""
    assert not re.search(r"\b(?:without|on|ignoring)\s*\(", query), "not understood here yet"
    found = []
    for group in re.finditer(r"\bby\s*\(([^)]*)\)\s*", query):
        rest = query[group.end() :]
        inner = _within(rest) if rest.startswith("(") else query
        found.append((set(re.findall(r"\w+", group[1])), _metrics_in(inner)))
    return found


def _within(text: str) -> str:
    """Return what stands in the bracket that `text` begins with."""
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return text[: place + 1]
    raise AssertionError(f"a bracket does not close: {text}")


def _labels_of(series: str) -> set[str]:
    """Return the labels a series has: its metric's, the histogram's, and those of the scrape."""
    labels = {name: set(names) for name, _, names, _ in catalogue()}
    scrape = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"][0]
    added = {rule["target_label"] for rule in scrape["relabel_configs"]} | {"job", "instance"}
    base = re.sub(r"_(bucket|sum|count)$", "", series)
    return labels.get(base, set()) | added | ({"le"} if series.endswith("_bucket") else set())


def _templates() -> list[tuple[str, str, str]]:
    """Return (title, query, text) of every legend and annotation that is filled from labels."""
    board = json.loads((MONITORING / "grafana/dashboards/wirewatch.json").read_text())
    found = [
        (panel["title"], target["expr"], re.sub(r"\{\{\s*(\w+)", r"$labels.\1", legend))
        for panel in board["panels"]
        for target in panel.get("targets", [])
        if (legend := target.get("legendFormat"))
    ]
    rules = yaml.safe_load((MONITORING / "rules.yml").read_text())
    return found + [
        (rule["alert"], rule["expr"], " ".join(rule["annotations"].values()))
        for group in rules["groups"]
        for rule in group["rules"]
    ]


@pytest.mark.parametrize(("title", "query"), _queries())
def test_every_query_groups_by_labels_that_exist(title: str, query: str) -> None:
    """Grouped by a label that a metric does not have, all its series fall into one."""
    for labels, named in _grouped(query):
        for series in named:
            assert labels <= _labels_of(series), (series, labels - _labels_of(series))


@pytest.mark.parametrize(("title", "query", "text"), _templates())
def test_every_legend_names_labels_that_are_left(title: str, query: str, text: str) -> None:
    """A label that the grouping has dropped, or that never was, would be shown as nothing."""
    used = set(re.findall(r"\$labels\.(\w+)", text))
    grouped = _grouped(query)
    kept = [labels for labels, _ in grouped] or [_labels_of(name) for name in _metrics_in(query)]
    if not grouped and re.search(r"\b(?:sum|min|max|avg|count|absent)\s*\(", query):
        kept = []
    assert used <= set().union(*kept), used - set().union(*kept)


@pytest.mark.parametrize(
    "what", [["check", "rules", "rules.yml"], ["check", "config", "prometheus.yml"]]
)
def test_promtool_accepts_what_is_provisioned(what: list[str]) -> None:
    """Prometheus' own tool reads the rules and the scrape configuration without complaint."""
    tool = shutil.which("promtool")
    if tool is None:
        pytest.fail("promtool is not installed: apt install prometheus")
    done = subprocess.run([tool, *what], cwd=MONITORING, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WORKERS)
def test_every_worker_is_hardened(name: str) -> None:
    """Not root, read-only, no capabilities, bounded memory, restarted, stopped with patience."""
    service = COMPOSE["services"][name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].rstrip("s")) > 10
    assert service["depends_on"]["store"]["condition"] == "service_healthy"
    assert "healthcheck" in service
    assert "ports" not in service or name == "desk"  # and that on loopback, see below
    assert "container_name" not in service, "it would forbid --scale"
    assert "deploy" not in service, "Compose v1 ignores it, limits and all"


def test_the_store_is_private_persistent_and_never_evicts() -> None:
    """No published port, a network without a way out, append-only, noeviction, a password."""
    store = COMPOSE["services"]["store"]
    command = store["command"][0]
    assert "ports" not in store
    assert store["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for words in ("--appendonly yes", "--maxmemory-policy noeviction", "requirepass"):
        assert words in command
    assert store["image"] == "${REDIS_IMAGE:-valkey/valkey:9.0}"
    assert store["user"] == "999:999"
    assert store["read_only"] is True
    assert store["cap_drop"] == ["ALL"]
    assert store["mem_limit"] == store["memswap_limit"]
    assert store["restart"] == "unless-stopped"
    assert int(store["stop_grace_period"].rstrip("s")) >= 30, "room to write the file"
    assert "healthcheck" in store
    assert {volume["target"] for volume in store["volumes"]} == {"/data"}


def test_only_stages_that_talk_to_the_world_can() -> None:
    """Embedder and triage handle hostile text and have no route out."""
    services = COMPOSE["services"]
    assert services["embedder"]["networks"] == services["triage"]["networks"] == ["inside"]
    assert (
        services["poller"]["networks"] == services["notifier"]["networks"] == ["inside", "outside"]
    )


def test_the_example_environment_is_complete() -> None:
    """Every variable of the compose file is in .env.example; what is required has no default."""
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    example = (ROOT / ".env.example").read_text()
    offered = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    assert used <= offered, used - offered
    required = set(re.findall(r"(?<!\$)\$\{(\w+):\?", text))
    assert required == set(re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE))


def test_the_image_is_built_once_and_versions_are_pinned() -> None:
    """One service has the recipe, the others take its image; no image floats."""
    built = [name for name, service in COMPOSE["services"].items() if "build" in service]
    assert built == ["poller"]
    images = {COMPOSE["services"][name]["image"] for name in WORKERS}
    assert images == {"${WIREWATCH_IMAGE:-wirewatch:latest}"}
    for name, service in COMPOSE["services"].items():
        if name not in WORKERS:
            assert re.search(r":v?\d+\.\d+(\.\d+)?}$", service["image"]), name


def test_each_container_has_its_own_secrets_only() -> None:
    """The notifier has those of channels, the poller those of feeds, the others none; nothing has
    a password that everybody knows."""
    services = COMPOSE["services"]
    given = {
        name: service["env_file"] for name, service in services.items() if "env_file" in service
    }
    assert given == {"notifier": ".env", "poller": "${FEEDS_ENV:-./deploy/feeds.env}"}
    for name in WORKERS:
        wanted = "all" if name in given else "none"
        assert services[name]["environment"]["WIREWATCH_SECRETS"] == wanted
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / ".env.example").read_text()
    assert re.findall(r"PASSWORD(?::-|=)[^\s}]+", text) == []


def test_what_is_installed_is_locked_with_hashes() -> None:
    """`make run` and the image install from the lock file, every package of which has a version
    and a hash; each dependency of ours is in it, PyTorch (a CPU build of its own) apart."""
    for name in ("Makefile", "deploy/Dockerfile"):
        assert "--no-deps --require-hashes -r" in (ROOT / name).read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["otel"]
    names = {re.split(r"[\[<>=;! ]", one)[0].lower().replace("_", "-") for one in wanted}
    for lock in ("requirements.lock", "requirements-dev.lock"):
        entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
        locked = {entry.partition("==")[0] for entry in entries}
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
        assert names - {"torch"} <= locked, names - locked
        assert not any(name.startswith(("torch", "nvidia", "triton")) for name in locked)


def test_monitoring_is_opt_in() -> None:
    """Prometheus and Grafana start only with their profile."""
    for name in ("prometheus", "grafana"):
        assert COMPOSE["services"][name]["profiles"] == ["monitoring"]


def test_the_image_and_the_guide_let_every_stage_send_traces() -> None:
    """OpenTelemetry is in the image; the collector shown is where embedder and triage reach it."""
    assert "opentelemetry-sdk==" in (ROOT / "requirements.lock").read_text()
    shown = [
        yaml.safe_load(block.text)
        for block in blocks(ROOT / "docs/how-to/operators.md")
        if block.language == "yaml"
    ]
    (collector,) = [one["services"]["collector"] for one in shown if "services" in one]
    assert "inside" in collector["networks"]
    assert set(collector["networks"]) <= set(COMPOSE["networks"])
    (policy,) = [one for one in shown if one.get("kind") == "NetworkPolicy"]
    kubernetes_validate.validate(policy, "1.34", strict=True)
    network = yaml.safe_load_all((ROOT / "deploy/kubernetes/network.yaml").read_text())
    (shut_in,) = [one for one in network if one["metadata"]["name"] == "inside-only"]
    assert policy["spec"]["podSelector"] == shut_in["spec"]["podSelector"]
    assert policy["spec"]["policyTypes"] == ["Egress"]


@pytest.mark.parametrize("name", ["outlet", "tally"])
def test_the_parts_of_the_acceptance_run_load(name: str) -> None:
    """A name that moves in the product or the benchmarks cannot leave the acceptance run behind."""
    path = ROOT / "deploy/acceptance" / f"{name}.py"
    assert inspect.iscoroutinefunction(runpy.run_path(str(path), run_name=name)["main"])


def test_dockerfile_builds_with_the_classic_builder_too() -> None:
    """No syntax line, no BuildKit-only mounts; not root; the final image copies no compiler."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    assert not text.startswith("# syntax")
    assert "--mount" not in text
    assert "--chmod" not in text
    final = text[text.rindex("FROM ") :]
    assert "USER 10001:10001" in final
    assert not re.search(r"gcc|build-essential|apt-get", final)


def test_all_that_the_image_is_made_of_reaches_the_builder() -> None:
    """What the Dockerfile copies from the checkout is let through by .dockerignore."""
    recipe = (ROOT / "deploy/Dockerfile").read_text()
    let = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    lines = [row.split()[1:-1] for row in recipe.splitlines() if row.startswith("COPY ")]
    wanted = {path for row in lines if not row[0].startswith("--") for path in row}
    assert len(wanted) > 5
    assert wanted <= let
    assert all((ROOT / path).exists() for path in wanted)


def test_the_desk_is_published_on_loopback_only(tmp_path: Path) -> None:
    """Whatever the compose files publish is on the host's loopback, and the desk may listen so."""
    for name in ("docker-compose.yml", "deploy/desk/compose.yml"):
        for service in yaml.safe_load((ROOT / name).read_text())["services"].values():
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
    env = COMPOSE["services"]["desk"]["environment"]
    (tmp_path / "topics.yaml").write_text("topics: []\n")
    desk = examine(tmp_path, env).config.desk
    assert (desk.host, desk.published_on_loopback) == ("0.0.0.0", True)
    (tmp_path / "wirewatch.yaml").write_text("desk: {host: 127.0.0.1}\n")
    assert examine(tmp_path, env).config.desk.host == "127.0.0.1"


def test_the_proxy_of_the_desk_is_the_one_that_is_trusted() -> None:
    """The example's settings are valid, and name the address that the proxy has in the network."""
    text = (ROOT / "deploy/desk/compose.yml").read_text()
    services = yaml.safe_load(text)["services"]
    lines = [line[1:].removeprefix("   ") for line in text.splitlines() if line.startswith("#   ")]
    example = yaml.safe_load("\n".join(lines[lines.index("desk:") :][:5]))
    desk = DeskSettings.model_validate(example["desk"])
    proxy = services["oauth2-proxy"]["networks"]["desk"]["ipv4_address"]
    assert is_trusted(proxy, desk.trusted_proxies)
    address = services["desk"]["networks"]["desk"]["ipv4_address"]
    assert not is_trusted(address, desk.trusted_proxies)
    assert address in services["oauth2-proxy"]["environment"]["OAUTH2_PROXY_UPSTREAMS"]
    assert services["oauth2-proxy"]["environment"]["OAUTH2_PROXY_PASS_HOST_HEADER"] == "true"
