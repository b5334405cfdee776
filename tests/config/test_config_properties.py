"""Whatever the files hold, reading them ends in a configuration or in problems: never otherwise."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.config.load import examine, load_config
from monitor.config.names import feed_slug, slug
from monitor.config.starter import starter_files
from monitor.config.value_types import LONGEST, parse_duration
from monitor.errors import ConfigError

pytestmark = pytest.mark.slow

STARTER = starter_files()
NAMES = ("wirewatch.yaml", "feeds.yaml", "topics.yaml", "feeds/a.opml", "topics/b.yml")
FULL = """\
channels:
  desk: {type: slack, token: "${TOKEN}", channel: C0123ABCD}
  mail: {type: email, host: h.example, from: a@b.example, to: [c@d.example]}
time_intervals:
  night: {start: "22:00", end: "07:00", days: [mon, tue], timezone: Europe/Kyiv}
route:
  to: [desk]
  routes:
    - match: {urgency: [low], languages: [en]}
      quiet_hours: [night]
      digest: {cron: "0 7 * * mon-fri", timezone: UTC}
"""
TOKENS = [
    ":", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!t ", "|", ">", "'", '"', "#", "\t", "\n",
    "  ", "${", "${TOKEN}", "<<: ", "? ", "---\n", "...", "%", "@", "`", "~", "null", "\x00",
    "\ufeff", "é", "𝄞", "\u2028", "1e999", ".inf", "0x", "22:00", "99999999999999999999", "a" * 300,
]  # fmt: skip


@contextmanager
def folder_with(**files: bytes) -> Iterator[Path]:
    """Make a folder holding the files, and remove it afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, raw in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(raw)
        yield folder


def holds(folder: Path) -> None:
    """Reading says what it must: a configuration or errors, each with a file and a line of it."""
    reading = examine(folder, {"TOKEN": "canary-of-properties"})
    for problem in reading.problems:
        assert problem.line >= 1
        assert "canary-of-properties" not in str(problem)
        assert problem.message.strip() == problem.message != ""
        path = Path(problem.file)
        if path.is_file():
            assert problem.line <= path.read_bytes().count(b"\n") + 2
    if reading.errors:
        with pytest.raises(ConfigError):
            load_config(folder, {"TOKEN": "canary-of-properties"})


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(NAMES), raw=st.binary(max_size=300))
@example(name="topics.yaml", raw=b"[" * 100_000)
@example(name="topics.yaml", raw=b"{" * 100_000)
@example(name="topics.yaml", raw=b"- " * 100_000)
@example(name="feeds/a.opml", raw=b"<opml><body>" + b"<outline>" * 50_000)
@example(name="feeds/a.opml", raw=b'<!DOCTYPE a [<!ENTITY b "c">]><opml><body>&b;</body></opml>')
@example(name="wirewatch.yaml", raw=b"\xfe\xff\x00a")
def test_any_bytes_are_read_or_explained(name: str, raw: bytes) -> None:
    """Any bytes as any file give problems or a configuration, never an exception."""
    with folder_with(**{name: raw}) as folder:
        holds(folder)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_mutation_of_a_good_file_is_read_or_explained(data: st.DataObject) -> None:
    """Good files with bytes cut out, doubled, or replaced by YAML's own tokens never traceback."""
    files = {
        "wirewatch.yaml": FULL,
        "feeds.yaml": STARTER["feeds.yaml"][900:2500],
        "topics.yaml": STARTER["topics.yaml"][:2500],
    }
    name = data.draw(st.sampled_from(sorted(files)))
    text = files[name]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(st.sampled_from(["", *TOKENS])) + text[end:]
    files[name] = text
    raw = {key: value.encode("utf-8", "replace") for key, value in files.items()}
    with folder_with(**raw) as folder:
        holds(folder)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "name", "url", "to", "type", "match", "routes", "alert", "any", "require",
                 "digest", "channels", "route", "store", "feeds", "topics", "slack", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(NAMES[:3]), value=_values)
def test_any_shape_of_data_is_read_or_explained(name: str, value: object) -> None:
    """Well-formed YAML of any shape, with the right keys in wrong places, never tracebacks."""
    import yaml

    key = name.removesuffix(".yaml")
    shaped = value if key == "wirewatch" else {key: value}
    with folder_with(**{name: yaml.safe_dump(shaped).encode()}) as folder:
        holds(folder)


def test_a_small_file_cannot_become_huge() -> None:
    """Aliases of aliases that would expand to a billion values are refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    lines.append("topics: [{name: Floods, examples: *a9}]")
    with folder_with(**{"topics.yaml": "\n".join(lines).encode()}) as folder:
        problems = examine(folder, {}).problems
    assert any("more values than any configuration needs" in one.message for one in problems)


@given(st.text(min_size=1))
def test_a_name_always_gives_a_usable_id(name: str) -> None:
    """Every text gives a short name of the allowed form, and always the same."""
    made = slug(name)
    assert 1 <= len(made) <= 80 and made == slug(name)
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and made[0] != "-"
    assert feed_slug("https://a.example/" + name.replace("[", "").replace("]", ""))


@given(
    st.integers(0, 10**6), st.sampled_from(["s", "m", "h", "d", "w"]), st.sampled_from(["", " "])
)
def test_durations_read_as_people_write_them(number: int, unit: str, blank: str) -> None:
    """A number and a unit are that many seconds; 0 is allowed, more than ten years is not."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
    if number * seconds > LONGEST:
        with pytest.raises(ValueError, match="ten years"):
            parse_duration(f"{number}{blank}{unit}")
    else:
        assert parse_duration(f"{number}{blank}{unit}") == number * seconds


def test_an_unreadable_folder_is_explained(tmp_path: Path) -> None:
    """A folder that vanishes between two readings gives a problem."""
    folder = tmp_path / "config"
    folder.mkdir()
    shutil.rmtree(folder)
    assert "does not exist" in str(ConfigError(examine(folder, {}).errors))


@pytest.mark.parametrize("mark", ["\u0085", "\u2028", "\u2029"])
def test_lines_are_counted_as_editors_count_them(mark: str) -> None:
    """A line separator pasted from a web page moves no line number and ends no comment."""
    raw = f"topics:\n  # pasted{mark}remark\n  - name: Strikes\n    colour: red\n".encode()
    with folder_with(**{"topics.yaml": raw}) as folder:
        problems = examine(folder, {}).problems
    assert [problem.line for problem in problems if "colour" in problem.message] == [4]
