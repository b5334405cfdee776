"""A topic goes back into its file, and nothing beside it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from monitor.analysis.topic_trial import as_yaml
from monitor.config.load import examine
from monitor.config.schema import Topic
from monitor.config.topic_file import CannotSave, with_topic

FILE = """\
# What we watch.
topics:
  - id: talks   # asked for by Anna
    name: Talks on a ceasefire
    examples:
      - Envoys meet in Geneva

  # Two more, from the desk in spring.
  - name: Shipping
    id: shipping
    sensitivity: strict
# The end.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration folder with two topics and comments around them."""
    (tmp_path / "topics.yaml").write_text(FILE)
    return tmp_path


def test_a_topic_is_changed_and_the_rest_stays(folder: Path) -> None:
    """Comments, blank lines and the other topic stay; the diff names the file; it is read again."""
    file = with_topic(folder, "talks", "id: talks\nname: Talks\nnot:\n- Football\n- Chess\n")
    file.save(folder)
    assert (folder / "topics.yaml").read_text() == FILE.replace(
        "id: talks   # asked for by Anna\n    name: Talks on a ceasefire\n    examples:\n"
        "      - Envoys meet in Geneva\n",
        "id: talks\n    name: Talks\n    not:\n    - Football\n    - Chess\n",
    )
    assert file.diff(folder).startswith("--- a/topics.yaml\n+++ b/topics.yaml\n")
    talks, shipping = examine(folder).config.topics
    assert talks.not_ == ("Football", "Chess") and shipping.sensitivity == "strict"


def test_a_file_of_one_topic(tmp_path: Path) -> None:
    """A topic that is a file of its own is replaced whole."""
    (tmp_path / "topics").mkdir()
    (tmp_path / "topics" / "talks.yaml").write_text("id: talks\nname: Talks\n")
    with_topic(tmp_path, "talks", "id: talks\nname: Peace talks\n").save(tmp_path)
    assert (tmp_path / "topics" / "talks.yaml").read_text() == "id: talks\nname: Peace talks\n"


def test_what_would_be_wrong_is_not_kept(folder: Path) -> None:
    """A topic that the service would refuse leaves the file as it was."""
    file = with_topic(folder, "talks", "id: talks\nname: Talks\nsensitivity: loud\n")
    with pytest.raises(CannotSave, match="it would be wrong"):
        file.save(folder)
    assert (folder / "topics.yaml").read_text() == FILE


def test_a_file_that_changed_meanwhile_is_left_alone(folder: Path) -> None:
    """Somebody else's edit is not written over."""
    file = with_topic(folder, "talks", "id: talks\nname: Talks\n")
    (folder / "topics.yaml").write_text(FILE + "# mine\n")
    with pytest.raises(CannotSave, match="meanwhile"):
        file.save(folder)
    assert (folder / "topics.yaml").read_text().endswith("# mine\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("topics: [{id: talks, name: Talks}]\n", "braces"),
        ("topics:\n- id: talks\n  name: ${NAME}\n", "variables"),
        ("topics:\r\n- id: talks\r\n  name: Talks\r\n", "line ends"),
        ("topics:\n- id: other\n  name: Other\n", "no file"),
    ],
)
def test_what_cannot_be_put_back_is_said(tmp_path: Path, text: str, words: str) -> None:
    """Forms that would lose something are refused with the reason."""
    (tmp_path / "topics.yaml").write_bytes(text.encode())
    with pytest.raises(CannotSave, match=words):
        with_topic(tmp_path, "talks", "id: talks\nname: Talks\n")


PHRASE = some.text(min_size=1, max_size=60).map(lambda text: " ".join(text.split())).filter(bool)
PLAIN = PHRASE.filter(lambda text: text.isprintable())
NAME = PLAIN.filter(lambda text: len(text) > 1)


@given(
    name=PLAIN.filter(lambda text: len(text) > 1),
    examples=some.lists(PLAIN, max_size=3, unique=True),
)
def test_what_is_saved_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, examples: list[str]
) -> None:
    """Whatever words a topic has, the file gives the same topic back, and the other one too."""
    folder = tmp_path_factory.mktemp("config")
    (folder / "topics.yaml").write_text(FILE)
    topic = Topic.model_validate({"id": "talks", "name": name, "examples": examples})
    try:
        with_topic(folder, "talks", as_yaml(topic)).save(folder)
    except CannotSave as error:  # refused for another reason, such as an example that is a copy
        assert "it would be wrong" in str(error)
        return
    read = examine(folder).config
    assert read.topic("talks") == topic and read.topic("shipping") is not None
