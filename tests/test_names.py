"""Names: each means one thing, each is used, and what the pages name exists."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from prometheus_client import Counter as CounterMetric
from prometheus_client import Gauge, Histogram, Info, generate_latest

from monitor import reasons
from monitor.matching.match_score import THRESHOLDS
from monitor.observability import metrics
from monitor.stages import STAGES
from tests.conftest import LONGEST

ROOT = Path(__file__).parents[1]


def _code(*folders: str) -> dict[Path, str]:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {path: path.read_text(encoding="utf-8") for path in files}


SOURCE = _code("monitor", "workers")
TESTS = _code("tests")
PAGES = [
    *ROOT.glob("*.md"),
    *(page for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts),
]
_NAMED = (".py", ".lua", ".yaml", ".yml", ".toml", ".json", ".html", ".sh", ".txt", "Makefile")


def _reasons() -> dict[str, type[StrEnum]]:
    return {
        name: kind
        for name, kind in vars(reasons).items()
        if isinstance(kind, type) and issubclass(kind, StrEnum) and name.endswith("Reason")
    }


def test_no_two_types_have_one_name() -> None:
    """A reader who meets a type's name knows which type it is."""
    places = defaultdict(list)
    for path, text in (SOURCE | TESTS | _code("benchmarks", "training")).items():
        for name in re.findall(r"^\s*class (\w+)[:(]", text, re.MULTILINE):
            places[name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


_OPEN = {"_replace", "_asdict", "_exit"}  # underscored, and documented as public by Python
_PRIVATE = re.compile(r"(?:monitor|workers)\.[\w.:]*[.:]_[a-z]", re.IGNORECASE)


def _private(node: ast.AST) -> str:
    """Return the private name that a line of a test reaches for, or ""."""
    if isinstance(node, ast.Attribute) and re.match(r"_[a-zA-Z]", node.attr):
        own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        return "" if own or node.attr in _OPEN else node.attr
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("monitor", "workers")):
        return next((one.name for one in node.names if one.name.startswith("_")), "")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if _PRIVATE.match(node.value) else ""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("setattr", "delattr"):
        name = node.args[1] if len(node.args) > 1 else None
        text = str(name.value) if isinstance(name, ast.Constant) else ""
        return text if text.startswith("_") else ""
    return ""


def test_tests_use_the_public_door() -> None:
    """A test that holds on to private names breaks with every clean-up and proves less."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path, text in TESTS.items()
        for node in ast.walk(ast.parse(text))
        if (name := _private(node))
    ]
    assert found == []


def _given(node: ast.AST, enums: dict[str, type[StrEnum]]) -> Iterator[tuple[str, str]]:
    """Yield the (enum, member) pairs below `node` that are handed on: returned, passed, kept.

    A reason that is only compared with, or only looks something up, is never given.
    """
    if isinstance(node, ast.Compare | ast.Set):
        return
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.value.id in enums:
            yield node.value.id, node.attr
        return
    below = node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node)
    for child in below:
        yield from _given(child, enums)


def test_every_reason_is_given_somewhere() -> None:
    """The page on reasons lists what can happen: each is the outcome of some line of code."""
    enums = _reasons()
    given = {
        pair
        for path, text in SOURCE.items()
        if path.name != "reasons.py"
        for pair in _given(ast.parse(text), enums)
    }
    defined = {(name, member.name) for name, kind in enums.items() for member in kind}
    assert defined - given == set()
    assert given - defined == set()


# Called by a library, or by programs beside the product: benchmarks, training, tests.
_FROM_OUTSIDE = {
    "ManualClock", "capture_signals", "do_GET", "forget_all", "format_commands", "get_command",
    "import_", "list_commands", "load_config", "log_message", "open_", "open_weights", "pids",
    "try_text", "warm",
}  # fmt: skip


def test_nothing_public_is_left_over() -> None:
    """A function, method or class that nobody names is dead: it goes."""
    places = [*(ROOT / "monitor").rglob("*.html"), ROOT / "docs/generate.py"]
    whole = "\n".join([*SOURCE.values(), *(path.read_text("utf-8") for path in places)])
    named = Counter(re.findall(r"\b[A-Za-z]\w+\b", whole))
    defined = re.findall(r"^\s*(?:async )?(?:def|class) ([A-Za-z]\w+)", whole, re.MULTILINE)
    assert {name for name in defined if named[name] == 1} - _FROM_OUTSIDE == set()


def test_every_metric_is_written_somewhere() -> None:
    """A metric that no line of code changes would show a calm that nobody measured."""
    kinds = (CounterMetric, Gauge, Histogram, Info)
    defined = {name for name, one in vars(metrics).items() if isinstance(one, kinds)}
    code = "\n".join(text for path, text in SOURCE.items() if path.name != "metrics.py")
    written = set(re.findall(r"metrics\.([A-Z_]+)\b", code))
    assert defined - written == set()


def _known_words() -> set[str]:
    folders = ("monitor", "workers", "deploy", "tests", "benchmarks", "training", "config")
    files = [path for name in folders for path in (ROOT / name).rglob("*")]
    files += [ROOT / "pyproject.toml", ROOT / "Makefile", ROOT / "docker-compose.yml"]
    words = {path.stem for path in files}
    for path in files:
        if path.is_file() and path.name.endswith(_NAMED) and path.name != Path(__file__).name:
            words |= set(re.findall(r"[A-Za-z]\w+", path.read_text("utf-8", errors="ignore")))
    written = generate_latest(metrics.REGISTRY).decode()
    return words | set(re.findall(r"^(?:# TYPE )?(\w+)", written, re.MULTILINE))


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every word of the code and its configuration."""
    return _known_words()


_FOREIGN = {"OTEL_TRACES_SAMPLER_ARG"}  # OpenTelemetry's own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path, known: set[str]) -> None:
    """Log events, settings, reasons, metrics and functions in a page's prose are in the code."""
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {
        word
        for code in re.findall(r"`([^`\n]+)`", prose)
        for word in re.findall(r"[A-Za-z]\w*_\w+", code)
    }
    assert named - known - _FOREIGN == set()


def _row(word: str) -> str:
    text = (ROOT / "docs/reference/vocabulary.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| \*\*{word}\*\* \| (.+) \|$", text, re.MULTILINE)
    return str(row)


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("alert", [*reasons.AlertReason]),
        ("severity", [*reasons.Severity]),
        ("trust", [*reasons.Trust]),
        ("threshold", [*THRESHOLDS]),
    ],
)
def test_the_vocabulary_names_what_there_is(word: str, names: list[str]) -> None:
    """Where a word has a few values, the page lists those of the code, and in their order."""
    assert re.findall(r"`(\w+)`", _row(word)) == names


def test_the_vocabulary_names_the_stages() -> None:
    """Poller, embedder, triage, notifier and desk: as `wirewatch run --only` takes them."""
    assert re.findall(r"\w+", _row("stage").replace(" or ", " ")) == [*STAGES]


# Words that the code had before it spoke plainly. Stored names and settings may keep theirs.
_RETIRED = re.compile(
    r"aftermath|^_?settle|settlement|perch|readdressed|take_turn|topic_?set|first_?look|keep_house"
    r"|let_lapse|hush|bury|buried|surroundings|leftover|told_?key|concluded|second_look"
    r"|^_?(take_in|conclude|ring)$",
    re.IGNORECASE,
)
_KEPT = {"second_look"}  # a setting that is accepted and unused


def test_no_retired_word_comes_back() -> None:
    """No function, class or variable has one of the old private names."""
    defined = re.compile(
        r"^\s*(?:async )?(?:def|class) (\w+)|^\s*(\w+)(?:: [^=\n]+)? = ", re.MULTILINE
    )
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in (SOURCE | TESTS | _code("benchmarks", "training")).items()
        for names in defined.findall(text)
        for name in names
        if _RETIRED.search(name) and name not in _KEPT
    }
    assert found == set()


def _defined_in(path: Path) -> set[str]:
    """Return the functions of a module, and the methods of its classes as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{one.name}"
                for one in node.body
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return found


def test_the_longest_files_are_there() -> None:
    """What the suite begins with exists: a file that was renamed would come last without a word."""
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []


def test_the_walk_through_the_files_is_true() -> None:
    """Each step of a story's way names a file and a function in it, in order, one after another."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    walk = text[text.index("## One story") : text.index("## The layers")]
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", walk, re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    named = re.findall(r"\[[^\]]+\]\(\.\./([^)]+\.py)\)(?:,\s+`([\w.]+)\(\)`)?", walk)
    assert [place for place, name in named if not name and not place.startswith("workers/")] == []
    wrong = [
        f"{place}: {name}"
        for place, name in named
        if name and name not in _defined_in(ROOT / place)
    ]
    assert wrong == []
    assert walk.count(".py)") == len(named)
