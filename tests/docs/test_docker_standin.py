"""The stand-ins for Docker and kubectl refuse what does not exist: else they prove nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.support.docker import kubectl, program
from tests.support.docker.engine import Engine

pytestmark = pytest.mark.slow

Docker = Callable[[str], int]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Docker]:
    """Run a docker command in a checkout named wirewatch; return its exit code."""
    folder = tmp_path / "wirewatch"
    folder.mkdir()
    for name in ("docker-compose.yml", "deploy", "config", "monitor", "workers", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".env").write_text("STORE_PASSWORD=letters0and9digits\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("STANDIN_FOLDER", str(tmp_path / "docker"))
    monkeypatch.delenv("STANDIN_STAGES", raising=False)
    yield lambda line: program.main(line.split())
    Engine(tmp_path / "docker").end()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("compose up -d --scale nothing=2", 1),
        ("compose up -d --scale poller=many", 1),
        ("compose up -d nothing", 1),
        ("compose up -d --quick", 1),
        ("compose --profile nothing up -d", 1),
        ("compose stop nothing", 1),
        ("compose logs nothing", 1),
        ("compose build nothing", 1),
        ("compose exec nothing true", 1),
        ("compose exec store true", 1),  # there is one, but it does not run
        ("compose refresh", 1),
        ("volume rm wirewatch_nothing", 1),
        ("volume drop wirewatch_store", 1),
        ("run --rm -v wirewatch_store:data python true", 125),
        ("run --rm -v wire/watch:/data python true", 125),
        ("run --quick python true", 125),
        ("refresh", 1),
    ],
)
def test_what_does_not_exist_is_refused(docker: Docker, line: str, code: int) -> None:
    """Services, profiles, scale targets, volumes, commands and options must be there."""
    assert docker(line) == code


def test_a_password_must_be_set(docker: Docker) -> None:
    """The variables that docker-compose.yml requires are required."""
    Path(".env").write_text("")
    assert docker("compose up -d") == 1


def test_a_store_lives_on_its_volume(
    docker: Docker, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What is written is there after stop and start; a volume in use cannot be removed."""

    def client(command: str) -> list[str]:
        inside = f"REDISCLI_AUTH=$STORE_PASSWORD valkey-cli {command}"
        return ["compose", "exec", "store", "sh", "-c", inside]

    assert docker("compose up -d") == 0
    assert program.main(client("SET kept yes")) == 0
    assert docker("volume rm wirewatch_store") == 1
    assert docker("compose stop") == 0
    assert program.main(client("GET kept")) == 1
    assert docker("volume rm wirewatch_store") == 1
    assert docker("compose up -d") == 0
    capfd.readouterr()
    assert program.main(client("GET kept")) == 0
    assert capfd.readouterr().out == "yes\n"
    assert docker("compose down") == 0
    assert docker("volume rm wirewatch_store") == 0
    assert Engine(tmp_path / "docker").volumes() == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("kustomization.yaml", "- store.yaml", "- stores.yaml", "no such file"),
        ("kustomization.yaml", "config/feeds.yaml", "config/feed.yaml", "no such file"),
        ("kustomization.yaml", "STORE_PASSWORD=", "STORE_PASSWORD:", "invalid literal"),
        ("store.yaml", "spec:", "spec: [", "store.yaml"),
        ("store.yaml", "kind: Service\n", "kinds: Service\n", "needs apiVersion, kind"),
        ("network.yaml", "name: inside-only", "name: store", "already registered"),
    ],
)
def test_a_broken_kustomization_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, said: str
) -> None:
    """What it lists must be there, parse, and have names of its own."""
    folder = tmp_path / "kubernetes"
    shutil.copytree(ROOT / "deploy/kubernetes", folder)
    assert kubectl.main(["apply", "-k", str(folder)]) == 0
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    assert kubectl.main(["apply", "-k", str(folder)]) == 1
    assert said in capsys.readouterr().err
    assert kubectl.main(["apply", "-k", str(tmp_path)]) == 1
    assert kubectl.main(["delete", "-k", str(folder)]) == 1
