"""The shape of the code: imports point downward, modules stay small, heavy libraries stay out."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 450  # "a module does one job": about 400, with some grace

# From the bottom up. A module imports from its own package and from packages in rows before its
# own, never from a row after it; two packages of one row do not know each other.
LAYERS: list[tuple[str, set[str]]] = [
    ("words", {"monitor.reasons", "monitor.stages", "monitor.clock"}),
    ("observability", {"monitor.observability"}),
    ("nouns", {"monitor.errors", "monitor.model", "monitor.text"}),
    ("helpers", {"monitor.identity", "monitor.codec", "monitor.tasks", "monitor.folding",
                 "monitor.english", "monitor.markup", "monitor.terminal", "monitor.sentences",
                 "monitor.death_toll"}),
    ("configuration", {"monitor.config"}),
    ("infrastructure", {"monitor.net", "monitor.store"}),
    ("queue", {"monitor.queue"}),
    ("models", {"monitor.models"}),
    ("languages", {"monitor.languages"}),
    ("stages", {"monitor.parsing", "monitor.embedding", "monitor.matching", "monitor.events",
                "monitor.editors", "monitor.alerting", "monitor.history"}),
    ("hand-overs", {"monitor.polling", "monitor.delivery"}),
    ("composed stages", {"monitor.analysis", "monitor.slack_app", "monitor.health"}),
    ("desk", {"monitor.desk"}),
    ("processes", {"workers"}),
    ("commands", {"monitor.cli"}),
]  # fmt: skip
# In a folder of a stage only these files may import the store: everything else there is a pure
# decision, a renderer, or a client of the outside world.
STATEFUL = re.compile(
    r"(_store|_sender|_step|_commit|outbox|archive|poll|dead_letter_review|retention|actions)$"
)
STAGES = {"monitor.parsing", "monitor.embedding", "monitor.matching", "monitor.events",
          "monitor.alerting", "monitor.polling", "monitor.delivery", "monitor.analysis",
          "monitor.slack_app", "monitor.health", "monitor.history"}  # fmt: skip
HEAVY = {"torch", "sentence_transformers", "transformers", "pydantic", "numpy", "redis", "httpx",
         "feedparser", "rich", "jinja2", "slack_sdk", "yaml"}  # fmt: skip


def modules() -> dict[str, Path]:
    """Every module of the product: dotted name -> file."""
    found = {}
    for path in sorted([*ROOT.glob("monitor/**/*.py"), *ROOT.glob("workers/**/*.py")]):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """Return the tree of a file, parsed once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


def layer_of(module: str) -> tuple[int, str]:
    """Return the row of a module and the package that stands there for it."""
    for row, (_, packages) in enumerate(LAYERS):
        for package in packages:
            if module == package or module.startswith(f"{package}."):
                return row, package
    return -1, ""


def imports(path: Path, known: dict[str, Path], *, at_once: bool = False) -> Iterator[str]:
    """Yield the product's own modules that a file imports; `at_once`: when it is loaded."""
    tree = parsed(path)
    nodes: list[ast.AST] = list(_at_load(tree.body)) if at_once else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known:
                    yield whole
                elif node.module in known:
                    yield node.module


def _at_load(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the statements that run when a module is loaded, type-checking blocks left out."""
    for node in body:
        if isinstance(node, ast.If):
            if "TYPE_CHECKING" not in ast.dump(node.test):
                yield from _at_load([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _at_load([*node.body, *node.orelse, *node.finalbody])
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node


def test_every_module_has_its_layer() -> None:
    """Each module belongs to a row of LAYERS, so the next two tests look at all of them."""
    homeless = [name for name in modules() if name != "monitor" and layer_of(name)[0] < 0]
    assert homeless == [], "put them into a row of LAYERS"


def test_the_page_shows_every_layer() -> None:
    """docs/architecture.md names each package of the layers."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = {name.removeprefix("monitor.") for _, packages in LAYERS for name in packages}
    assert {n for n in named if f"{n}/`" not in page and f"{n}.py`" not in page} == set()


def test_imports_point_downward() -> None:
    """No module imports from a layer above it, and packages of one layer do not know each other."""
    known = modules()
    wrong = []
    for name, path in known.items():
        row, package = layer_of(name)
        if row < 0:
            continue  # the test above speaks of it
        for target in imports(path, known):
            other, its_package = layer_of(target)
            if other > row or (other == row and package != its_package):
                wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_only_files_of_state_know_the_store() -> None:
    """In a stage's folder the store is imported by files named for state; decisions stay pure."""
    known = modules()
    wrong = [
        f"{name} imports {target}"
        for name, path in known.items()
        if layer_of(name)[1] in STAGES and not STATEFUL.search(name)
        for target in imports(path, known)
        if target.startswith("monitor.store")
    ]
    assert wrong == []


def test_no_module_needs_itself() -> None:
    """No circle of imports when modules are loaded: any of them can be imported first."""
    known = modules()
    graph = {name: set(imports(path, known, at_once=True)) for name, path in known.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_modules_stay_small() -> None:
    """A module that grows past what one can take in is to be split."""
    long = {
        name: lines
        for name, path in modules().items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}


def _loaded_by(code: str) -> set[str]:
    """Return the top-level packages that a fresh Python has loaded after running `code`."""
    script = f"import sys\n{code}\nprint(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(run.stdout.splitlines()[-1].split())


def test_help_is_light() -> None:
    """`wirewatch --help` answers at once: no heavy library is loaded for it."""
    code = "from monitor.cli import main\nmain(['--help'], standalone_mode=False)"
    assert _loaded_by(code) & HEAVY == set()


@pytest.mark.slow
@pytest.mark.parametrize("process", ["poller", "triage", "notifier"])
def test_only_the_embedder_needs_the_model(process: str) -> None:
    """Poller, triage and notifier start without PyTorch, so they start fast and stay small."""
    heavy = {"torch", "transformers", "sentence_transformers"}
    assert _loaded_by(f"import workers.{process}") & heavy == set()


# What only a store's own module may do: name its keys, and speak to it in Redis's commands. The
# names that other things have as well (get, set, delete, time, …) cannot be told apart here.
_COMMANDS = re.compile(
    r"^(h(get|set|del|getall|mget|vals|len|exists|incrby|scan)|x(add|len|range|ack|del|claim"
    r"|readgroup|autoclaim|info_\w+|group_\w+|pending_range)|z(add|rem|range|rangebyscore|card"
    r"|count|score|popmin|remrangebyscore)|s(add|rem|members|ismember|card|can_iter)|l(push|range"
    r"|trim)|rpush|p?expire(at)?|p?ttl|incr(by)?|evalsha|register_script|dbsize|flushall"
    r"|flushdb|config_(get|set)|pipeline|execute_command)$"
)
_STORE_FILES = re.compile(
    r"^monitor\.(store|queue)\.|^monitor\.desk\.live$|(_store|outbox|archive|dead_letter_review|retention)$"
)


def test_stores_own_their_keys() -> None:
    """No key is named and no command is given outside the store and the modules of state."""
    wrong = []
    for name, path in modules().items():
        if _STORE_FILES.search(name):
            continue
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            last = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            text = node.args and isinstance(node.args[0], ast.Constant)
            named = last in ("keys", "_keys") and text
            if named or (isinstance(called, ast.Attribute) and _COMMANDS.match(last)):
                wrong.append(f"{name}:{node.lineno} {last}(…)")
    assert wrong == []


# Faults last as long as they say: in the chaos runs, in stand-ins, in a child that hangs.
_MAY_SLEEP = {
    "support/waiting.py", "support/http_sink.py", "support/slack_faults.py", "conftest.py",
    "support/docker/engine.py",
}  # fmt: skip
_SLEEP = re.compile(r"(asyncio|time)\.sleep\(.*")


def test_tests_wait_for_conditions() -> None:
    """No test sleeps for a time and hopes that it was enough (`tests/support/waiting.py`)."""
    wrong = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        place = path.relative_to(ROOT / "tests").as_posix()
        if place.startswith("chaos/") or place in _MAY_SLEEP:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "sleep"
            slept = _SLEEP.match(ast.unparse(node)) if named else None
            if slept and "sleep(0)" not in slept[0]:  # sleep(0) lets others have their turn
                wrong.append(f"{place}:{node.lineno}")
    assert wrong == []
