"""Write the reference pages from the code: commands, settings, metrics, reasons, schemas.

python docs/generate.py            writes docs/reference/* and config/*
python docs/generate.py --check    says which pages are out of date, and leaves with 1
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import types
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from monitor import reasons
from monitor.cli import COMMANDS
from monitor.config import schema
from monitor.config.json_schema import schema_files
from monitor.config.problems import keys_of
from monitor.config.starter import starter_files
from monitor.desk.api.openapi import describe
from monitor.observability import metrics
from monitor.store import keys

HERE = Path(__file__).parent
NOTE = "<!-- Made from the code by docs/generate.py; edit the code, not this page. -->\n"

SETTINGS_INTRO = """\
# Settings

A configuration is a folder, `config/` unless `--config` or `WIREWATCH_CONFIG` says otherwise:

| file | holds |
|---|---|
| `topics.yaml`, `topics/*.yaml` | what to watch: a `topics:` list, or one topic a file |
| `feeds.yaml`, `feeds/*.yaml` | the feeds: a `feeds:` list |
| `feeds/*.opml` | subscription lists from feed readers; folders become tags |
| `wirewatch.yaml` | channels, routes and settings of the service; may be missing |

`wirewatch init` writes one to begin with, `wirewatch check` finds every mistake in it, and editors
that know JSON Schema complete and check it as you type ([feeds](schema/feeds.json),
[topics](schema/topics.json), [wirewatch](schema/wirewatch.json)).

**Values.** A list of one may be written as a single value. Durations are written `90s`, `10m`,
`6h`, `14d`. Every plain value is read as the text it is, so `languages: [no]` is Norwegian and
`start: 22:00` is a time of day.

**Secrets** are never written into the files. `${NAME}` is taken from the environment; if `NAME`
is not set but `NAME_FILE` is, from that file (as Docker and Kubernetes provide secrets).
`${NAME:-text}` falls back to a default, `$${` stands for a literal `${`. This works in every value.
A `.env` file is read by `docker compose`, not by Wirewatch itself; elsewhere load it with
`set -a; . ./.env; set +a`.

**Mistakes.** A bad feed, topic, channel or branch of the routes is left out and named, and all
others work. With a mistake in the service's own settings it does not start. A running service
takes over changes by itself within seconds; what has a mistake stays as it was.
"""

SECTIONS: list[tuple[str, str, list[type[BaseModel]]]] = [
    (
        "feeds.yaml",
        "A bare address is a feed, too: `- https://example.org/rss.xml`.",
        [schema.FeedSource],
    ),
    (
        "topics.yaml",
        "A bare name is a topic, too: `- Undersea cables`.",
        [schema.Topic, schema.Gate, schema.TopicAlerting, schema.MinSources],
    ),
    (
        "wirewatch.yaml",
        "Everything has a default.",
        [schema.WirewatchFile, schema.StoreSettings, schema.EmbeddingSettings,
         schema.PollingSettings, schema.EventSettings, schema.OpsSettings, schema.DeskSettings,
         schema.TranslationSettings, schema.LanguageModelSettings, schema.MissedPlan],
    ),
    (
        "Channels",
        "Below `channels:` in `wirewatch.yaml`, each under a name of its own. `terminal` always "
        "exists.",
        [schema.TerminalChannel, schema.SlackChannel, schema.SlackWebhookChannel,
         schema.EmailChannel, schema.WebhookChannel, schema.AppriseChannel],
    ),
    (
        "Routes",
        "Below `route:` and `time_intervals:` in `wirewatch.yaml`. The first branch that matches "
        "takes an alert, with `continue` the following ones are looked at as well.",
        [schema.Route, schema.RouteMatch, schema.DigestPlan, schema.TimeInterval],
    ),
    (
        "Subscriptions",
        "Below `subscriptions:` in `wirewatch.yaml`, each under a name of its own; people in Slack "
        "[make theirs with a command](../how-to/subscriptions.md).",
        [schema.Subscription],
    ),
]  # fmt: skip


def pages() -> dict[str, str]:
    """Return every file that is made from the code: path in the repository -> text."""
    made = {
        "cli.md": cli_page(),
        "configuration.md": settings_page(),
        "metrics.md": metrics_page(),
        "reasons.md": reasons_page(),
        "keys.md": keys_page(),
        "benchmarks.md": benchmarks_page(),
    }
    made |= {f"schema/{name}": text for name, text in schema_files().items()}
    made["openapi.json"] = json.dumps(describe(), indent=2, ensure_ascii=False) + "\n"
    made = {f"docs/reference/{name}": text for name, text in made.items()}
    made["docs/decisions/README.md"] = decisions_page()
    return made | {f"config/{name}": text for name, text in starter_files().items()}


# --- commands ------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and subcommand with its full name."""
    for name, (module, attribute, _) in COMMANDS.items():
        yield from _with_subcommands(f"wirewatch {name}", getattr(import_module(module), attribute))


def _with_subcommands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner in sorted(command.commands):
            yield from _with_subcommands(f"{name} {inner}", command.commands[inner])


def cli_page() -> str:
    """Return the page on the command line."""
    lines = [NOTE, "# Commands\n"]
    lines.append(
        "Exit codes: 0 fine, 1 found problems, 2 bad usage or configuration. Every command has "
        "`--help`; where a program may read the output there is `--json`.\n"
    )
    lines += ["| command | |", "|---|---|"]
    lines += [f"| [`wirewatch {n}`](#wirewatch-{n}) | {row[2]} |" for n, row in COMMANDS.items()]
    for name, command in commands():
        depth = "##" if name.count(" ") == 1 else "###"
        context = click.Context(command, info_name=name)
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        lines += ["", f"{depth} {name}", "", f"```text\n{usage}\n```", ""]
        lines.append(_prose(command.help or command.short_help or ""))
        rows = [row for parameter in command.params if (row := _option(parameter, context))]
        if rows:
            lines += ["", "| option | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _prose(text: str) -> str:
    """Return click's help text as Markdown; paragraphs marked \\b keep their lines."""
    parts = []
    for part in re.split(r"\n\s*\n", text.strip()):
        if part.lstrip().startswith("\b"):
            body = part.replace("\b", "").strip("\n")
            parts.append(f"```text\n{body}\n```")
        else:
            parts.append(" ".join(part.split()))
    return "\n\n".join(parts)


def _option(parameter: click.Parameter, context: click.Context) -> str:
    if not isinstance(parameter, click.Option) or parameter.hidden or parameter.name == "help":
        return ""
    record = parameter.get_help_record(context)
    if record is None:
        return ""
    spelled, text = record
    return f"| `{_cell(spelled)}` | {_cell(text)} |"


# --- settings ------------------------------------------------------------------------------------


def settings_page() -> str:
    """Return the page on the settings."""
    lines = [NOTE, SETTINGS_INTRO]
    for title, intro, models in SECTIONS:
        lines += [f"## {title}", "", intro, ""]
        for model in models:
            lines += _settings_table(model)
    return "\n".join(lines).rstrip() + "\n"


def _settings_table(model: type[BaseModel]) -> list[str]:
    text = " ".join((model.__doc__ or "").split())
    rows = [
        f"| `{key}` | {_kind(field)} | {_default(field)} | {_cell(field.description or '')} |"
        for key, field in zip(keys_of(model), model.model_fields.values(), strict=True)
    ]
    head = ["| key | value | default | meaning |", "|---|---|---|---|"]
    return [f"### {_title(model)}", "", text, "", *head, *rows, ""]


def _title(model: type[BaseModel]) -> str:
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", model.__name__).lower()
    return words.removesuffix(" settings").removesuffix(" file").capitalize()


def _kind(field: FieldInfo) -> str:
    if "parse_duration" in repr(field.metadata):
        return "duration"
    if "_as_list" in repr(field.metadata):
        return "one or more words"
    return _kind_of(field.annotation)


def _kind_of(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        shown = repr(args[1:])
        if "parse_duration" in shown:
            return "duration"
        return "one or more words" if "_as_list" in shown else _kind_of(args[0])
    if origin in (Union, types.UnionType):
        kinds = [_kind_of(arg) for arg in args if arg is not type(None)]
        return kinds[0] if len(kinds) == 1 else "settings"
    if origin is Literal:
        return " \\| ".join(f"`{arg}`" for arg in args)
    if origin is tuple:
        return f"list of {_kind_of(args[0])}" if args else "list"
    if origin is dict:
        return f"name: {_kind_of(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{_title(annotation).lower()}](#{_title(annotation).lower().replace(' ', '-')})"
    names = {str: "text", int: "whole number", float: "number", bool: "true \\| false"}
    return "secret" if annotation is SecretStr else names.get(annotation, "text")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "see right" if "Default:" in (field.description or "") else "**needed**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value in (None, "", (), {}) or isinstance(value, BaseModel):
        return "–"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if "parse_duration" in repr(field.metadata) and isinstance(value, int | float):
        return f"`{spell_duration(value)}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(str(item) for item in value) + "]`"
    return f"`{value}`"


def spell_duration(seconds: float) -> str:
    """Return seconds as people write them: 172800 is "2d", 0.25 is "250ms"."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


# --- metrics and reasons -------------------------------------------------------------------------


def metrics_page() -> str:
    """Return the page on the metrics."""
    lines = [NOTE, "# Metrics", ""]
    lines.append(
        "Answered at `/metrics` when `ops.http_port` is set, in the Prometheus text format. "
        "Values of `reason` are those of [the named reasons](reasons.md). Process and platform "
        "metrics of the Prometheus client (`process_*`, `python_info`) are there as well.\n"
    )
    lines += ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for metric in vars(metrics).values():
        kind = getattr(metric, "_type", None)
        if not isinstance(metric, type) and kind in ("counter", "gauge", "histogram", "info"):
            suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "–"
            text = _cell(metric._documentation)
            lines.append(f"| `{metric._name}{suffix}` | {kind} | {labels} | {text} |")
    return "\n".join(lines) + "\n"


def reasons_page() -> str:
    """Return the page on the named reasons."""
    lines = [NOTE, "# Named reasons", ""]
    lines.append(
        "Every decision has one. `explain`, `status`, logs, metrics and stored records use these "
        "words and no others.\n"
    )
    for kind in vars(reasons).values():
        if isinstance(kind, type) and issubclass(kind, StrEnum) and kind is not StrEnum:
            source = inspect.getsource(kind)
            said = dict(re.findall(r'^ +(\w+) = "\w+"  # (.+)$', source, re.MULTILINE))
            lines += [f"## {_title_of(kind.__name__)}", "", (kind.__doc__ or "").strip(), ""]
            lines += ["| reason | |", "|---|---|"]
            for member in kind:
                lines.append(f"| `{member.value}` | {_cell(said.get(member.name, ''))} |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def keys_page() -> str:
    """Return the page on what is kept in the store."""
    lines = [NOTE, "# What is in the store", ""]
    lines.append(
        "Every key begins with the prefix in braces, `{ww}:` unless `store.prefix` says otherwise, "
        "so that on a cluster all of them share a slot. A key goes by its time to live, is kept "
        "small by its owner (trimmed), or is one of a handful that stay. A test finds any key that "
        "is not in this table.\n\n"
        "Once an hour triage lets go of what is older than `store.keep_receipts` among dead "
        "letters and alerts for channels that are no longer configured, and logs "
        "`retention_over` with how many.\n"
    )
    goes = {"ttl": "time to live", "trimmed": "trimmed by its owner", "fixed": "stays"}
    lines += ["| key | kind | owner | goes | how large |", "|---|---|---|---|---|"]
    lines += [
        f"| `{r.pattern}` | {r.kind} | {r.owner} | {goes[r.goes]} | {r.bound} |" for r in keys.TABLE
    ]
    return "\n".join(lines) + "\n"


def benchmarks_page() -> str:
    """Return the page on the measurements, from the docstrings of their programs."""
    lines = [NOTE, "# Measurements", ""]
    lines.append(
        "How good and how fast it is, as programs to run. Some need a folder of labelled news that "
        "is not part of the project; they say what it must hold.\n"
    )
    for path in sorted((HERE.parent / "benchmarks").glob("[a-z]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        title, _, rest = text.partition("\n")
        lines += [f"## {path.name}", "", title, "", "```text", rest.strip("\n"), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def decisions_page() -> str:
    """Return the list of decision records."""
    lines = [NOTE, "# Decisions", "", "Why things are as they are, each on a page.", ""]
    for path in sorted((HERE / "decisions").glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").strip()
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def _title_of(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name.removesuffix("Reason")).capitalize()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Write the pages, or with --check compare them. Return the exit code."""
    stale = []
    for name, text in pages().items():
        path = HERE.parent / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path_name in stale:
        print(f"{'out of date' if '--check' in sys.argv else 'wrote'}: {path_name}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
