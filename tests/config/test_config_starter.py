"""The starter configuration, its schemas, `wirewatch init`, `wirewatch check`, change detection."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from monitor.cli import main
from monitor.config.json_schema import KINDS, schema_files, schema_for
from monitor.config.load import load_config
from monitor.config.opml import read_opml, write_opml
from monitor.config.reload import fingerprint
from monitor.config.starter import starter_files

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_model")]

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> tuple[int, str]:
    """Run the `wirewatch` command and return its exit code and output."""
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_init_writes_what_check_accepts(tmp_path: Path) -> None:
    """A fresh start: init, then check says all is well, with five topics and 28 feeds."""
    code, said = run("init", str(tmp_path / "config"))
    assert code == 0 and "wirewatch check --config" in said
    code, said = run("check", "--no-model", "--config", str(tmp_path / "config"))
    assert (code, said) == (
        0,
        "All is well: 28 feeds, 5 topics, alerts to the terminal only.\n",
    )


def test_the_model_finds_no_fault_with_the_starter(tmp_path: Path) -> None:
    """Judged by meaning, the five topics are neither vague nor inert nor at odds with their
    examples; a topic that is gets a warning on its line. What each will tell a day is said."""
    run("init", str(tmp_path))
    (tmp_path / "topics").mkdir()
    (tmp_path / "topics" / "own.yaml").write_text(
        "topics:\n  - name: Bridge collapses\n    require: {any: [dam]}\n"
        "    examples:\n      - Bridge gives way, cars in the river\n"
    )
    code, said = run("check", "--config", str(tmp_path))
    lines = said.splitlines()
    assert code == 0 and len(lines) == 10, said
    assert "own.yaml:5: warning: the require gate shuts out the topic's own example" in lines[0]
    assert lines[1].startswith("Usable, with 1 warning: 28 feeds, 6 topics")
    assert lines[2].startswith("To be expected, by ordinary news at 1,120 stories a day")
    assert any(re.match(r"  bridge-collapses: (about|hardly) ", line) for line in lines[3:]), said


def test_init_never_overwrites(tmp_path: Path) -> None:
    """What someone wrote stays, byte for byte; the other files are added."""
    (tmp_path / "topics.yaml").write_text("- Mine\n")
    code, said = run("init", str(tmp_path))
    assert code == 0 and "kept" in said
    assert (tmp_path / "topics.yaml").read_text() == "- Mine\n"
    assert (tmp_path / "feeds.yaml").exists()


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    """A file in the place of the folder is explained, with exit code 2."""
    (tmp_path / "here").write_text("")
    code, said = run("init", str(tmp_path / "here"))
    assert code == 2 and "Traceback" not in said


def test_the_starter_names_the_two_given_topics() -> None:
    """The ids that documents and tests rely on, and a full set of feeds with owners."""
    topics = yaml.safe_load(starter_files()["topics.yaml"])["topics"]
    ids = [topic["id"] for topic in topics]
    assert ids[:2] == ["us-russia-ukraine-talks", "energy-infrastructure-strikes"]
    assert len(ids) == 5 and all(len(topic["examples"]) >= 3 for topic in topics)
    feeds = yaml.safe_load(starter_files()["feeds.yaml"])["feeds"]
    assert len(feeds) == 28 and all(feed["owner"] and feed["tags"] for feed in feeds)


def test_the_commented_settings_of_the_starter_are_right_too(tmp_path: Path) -> None:
    """Taking out the comment signs of wirewatch.yaml gives a configuration without a mistake."""
    for name, text in starter_files().items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if name == "wirewatch.yaml":
            head, _, rest = text.partition("\n# polling:")
            rest = "\n# polling:" + rest
            text = head + rest.replace("\n# ", "\n")
        path.write_text(text, encoding="utf-8")
    env = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/x",
        "SMTP_PASSWORD": "p4ssw0rd",
    }
    config = load_config(tmp_path, env)
    assert len(config.channels) == 3 and len(config.route.routes) == 2


def test_the_configuration_in_the_repository_is_the_starter() -> None:
    """config/ is what `wirewatch init` writes (to renew it: delete config/, run init)."""
    for name, text in starter_files().items():
        assert (ROOT / "config" / name).read_text(encoding="utf-8") == text, name


def test_the_schemas_in_the_reference_are_current() -> None:
    """docs/reference/schema holds the schemas the code makes (renew: python docs/generate.py)."""
    for name, text in schema_files().items():
        assert (ROOT / "docs/reference/schema" / name).read_text(encoding="utf-8") == text, name


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_accept_the_starter(kind: str) -> None:
    """An editor that uses the schema finds nothing to object to in the starter files."""
    schema = schema_for(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    data = yaml.safe_load(starter_files()[f"{kind}.yaml"]) or {}
    jsonschema.validate(data, schema)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("topics", {"topics": [{"name": "Floods", "langauges": ["en"]}]}),
        ("topics", {"topics": [{"description": "nameless"}]}),
        ("topics", {"topics": [{"name": "Floods", "alert": {"urgency": "hot"}}]}),
        ("feeds", {"feeds": [{"id": "a"}]}),
        ("feeds", {"topics": []}),
        ("wirewatch", {"polling": {"timeot": "5s"}}),
        ("wirewatch", {"channels": {"a": {"type": "slak"}}}),
    ],
)
def test_the_schemas_refuse_mistakes(kind: str, data: object) -> None:
    """An editor that uses the schema marks unknown keys, missing ones and wrong words."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema_for(kind))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("topics", {"topics": ["Floods", {"name": "Fires", "examples": "One", "fresh_for": "2d"}]}),
        ("feeds", {"feeds": ["https://a.example/", {"url": "https://b.example/", "tags": "x"}]}),
        ("wirewatch", {"polling": {"timeout": "5s"}, "route": {"routes": [{"to": "a"}]}}),
    ],
)
def test_the_schemas_accept_the_short_forms(kind: str, data: object) -> None:
    """Bare names and addresses, single words for lists and durations are fine."""
    jsonschema.validate(data, schema_for(kind))


def test_check_prints_the_schema() -> None:
    """`wirewatch check --schema topics` is what docs/reference/schema/topics.json holds."""
    code, said = run("check", "--schema", "topics")
    assert code == 0 and said == schema_files()["topics.json"]


def test_check_reports_as_text_and_json(tmp_path: Path) -> None:
    """Every problem as file:line, a summary, exit code 2; the same as JSON for programs."""
    (tmp_path / "topics.yaml").write_text("topics:\n  - {name: Floods, urgency: high}\n  - Fires\n")
    code, said = run("check", "--config", str(tmp_path))
    assert code == 2
    assert f'{tmp_path}/topics.yaml:2: "urgency" belongs under "alert"; move it there' in said
    assert said.splitlines()[-2].startswith("1 mistake and 1 warning; without them: 0 feeds, 1 top")
    code, said = run("check", "--json", "--config", str(tmp_path))
    report = json.loads(said)
    assert code == 2 and report["ok"] is False and report["topics"] == 1
    assert report["problems"][0]["line"] == 2


def test_warnings_alone_do_not_fail(tmp_path: Path) -> None:
    """A configuration with warnings only is usable: exit code 0."""
    (tmp_path / "topics.yaml").write_text("- Floods\n")
    code, said = run("check", "--no-model", "--config", str(tmp_path))
    assert code == 0 and "\nUsable, with 1 warning" in said


def test_opml_goes_out_and_comes_back(tmp_path: Path) -> None:
    """What is exported as OPML is imported as the same names, addresses and tags."""
    feeds = load_config(ROOT / "config", {}).feeds
    outlines, faults = read_opml(write_opml(feeds).encode())
    assert faults == []
    back = {(one.url, one.name, one.tags) for one in outlines}
    assert back == {(feed.url, feed.name, feed.tags) for feed in feeds}


def test_opml_neither_fetches_nor_expands() -> None:
    """Entities of an OPML list are not followed: no file is read, nothing grows."""
    raw = (
        b'<!DOCTYPE opml [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
        b'<opml><body><outline text="&f;" xmlUrl="https://a.example/"/></body></opml>'
    )
    outlines, _ = read_opml(raw)
    assert [one.name for one in outlines] in ([""], [])


def test_real_opml_lists_are_read(data_folder: Path) -> None:
    """Every OPML list in the data folder gives feeds, and all of them load together."""
    lists = sorted((data_folder / "opml").rglob("*.opml"))
    assert len(lists) > 10
    for path in lists:
        outlines, _ = read_opml(path.read_bytes())
        assert outlines, path.name


def test_a_change_is_seen_and_a_touch_is_not(tmp_path: Path) -> None:
    """The fingerprint follows contents: edits, new and deleted files; not times or other files."""
    topics = tmp_path / "topics.yaml"
    topics.write_text("- Floods\n")
    first = fingerprint(tmp_path)
    os.utime(topics, (1, 1))
    (tmp_path / "notes.txt").write_text("x")
    assert fingerprint(tmp_path, first) == first == fingerprint(tmp_path)
    topics.write_text("- Fires!\n")
    edited = fingerprint(tmp_path, first)
    assert edited != first
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "a.opml").write_text("")
    added = fingerprint(tmp_path, edited)
    assert added != edited
    (tmp_path / "feeds" / "a.opml").unlink()
    assert fingerprint(tmp_path, added) == edited
    assert fingerprint(tmp_path / "none") == fingerprint(tmp_path / "none")
