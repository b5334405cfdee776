"""`wirewatch topics new`: a topic from a name, stories that belong, and stories that do not.

The topic is tried on its own stories and on those the service has seen before anything is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from monitor.cli.setup import config_option, console, fail, load_or_exit, say
from monitor.text import counted

if TYPE_CHECKING:
    from monitor.config.schema import Config, Topic

_BELONGS, _NOT = 3, 2  # how many stories are asked for


@click.command("new")
@config_option
@click.option("--name", default="", help="The topic's name; asked for if left out.")
@click.option("--example", "examples", multiple=True, help="A headline that belongs.")
@click.option("--not", "counters", multiple=True, help="One that looks alike and does not.")
@click.option("--yes", is_flag=True, help="Write it without asking.")
def new(
    config_dir: Path,
    name: str,
    examples: tuple[str, ...],
    counters: tuple[str, ...],
    yes: bool,
) -> None:
    """Make a topic: asks for its name, three stories that belong and two that do not.

    Tries it on these, shows what it would catch of ordinary news, and writes topics/ID.yaml.
    """
    config = load_or_exit(config_dir)
    name = " ".join((name or click.prompt("What shall be watched, in a few words")).split())
    given = examples or _ask("A headline that belongs", _BELONGS)
    against = counters if examples or counters else _ask("One that looks alike but does not", _NOT)
    settings = _settings(config, name, given, against)
    target = config_dir / "topics" / f"{settings['id']}.yaml"
    if target.exists():
        fail(f"{target} is there already; edit it, or choose another name")
    text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False, width=96)
    _try(config, settings)
    click.echo()
    click.echo(text, nl=False)
    if not yes and not click.confirm(f"Write this to {target}?", default=True):
        say("Nothing was written.")
        return
    try:
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror}")
    say("Written. A running service takes it over by itself. To check it: wirewatch check")


def _ask(what: str, count: int) -> tuple[str, ...]:
    """Ask for up to `count` lines; an empty one ends the asking."""
    found = []
    for number in range(1, count + 1):
        line = click.prompt(f"{what} ({number} of {count}; Enter to go on)", default="",
                            show_default=False)  # fmt: skip
        if not line.strip():
            break
        found.append(" ".join(line.split()))
    return tuple(found)


def _settings(
    config: Config, name: str, examples: Sequence[str], counters: Sequence[str]
) -> dict[str, Any]:
    """Return the topic as it is written to the file. Its id is a free one, to be read by people."""
    from monitor.config.names import readable_id

    wish, taken = readable_id(name), {topic.id for topic in config.topics}
    wishes = [wish, *(f"{wish[:70]}-{number}" for number in range(2, 1000))]
    settings: dict[str, Any] = {
        "id": next(one for one in wishes if one not in taken),
        "name": _literally(name),
    }
    if examples:
        settings["examples"] = [_literally(line) for line in examples]
    if counters:
        settings["not"] = [_literally(line) for line in counters]
    return settings


def _literally(text: str) -> str:
    return text.replace("${", "$${")


def _try(config: Config, settings: dict[str, Any]) -> None:
    """Say whether the topic would do what its stories ask, and what it would catch besides."""
    from pydantic import ValidationError

    from monitor.analysis.offline import review_topics
    from monitor.cli.volumes import volumes
    from monitor.config.field_checks import check_topic
    from monitor.config.schema import Topic
    from monitor.errors import WirewatchError

    try:
        topic: Topic = Topic.model_validate(settings)
    except ValidationError as error:
        fail(f"this cannot be a topic: {error.errors()[0]['msg']}")
    faults = [one.message for one in check_topic(topic) if one.severity == "error"]
    if faults:
        fail("this cannot be a topic: " + "; ".join(faults))
    out = console(stderr=True)
    try:
        with out.status("trying it on its own stories and on ordinary news"):
            every = [*config.topics, topic]
            all_doubts, matcher, ordinary = review_topics(every, config.embedding)
        doubts = [doubt for doubt in all_doubts if doubt.topic == topic.id]
        volume = volumes(config, matcher, lambda: ordinary).get(topic.id)
    except WirewatchError as error:
        say(f"It could not be tried: {error}", err=True)
        return
    belongs = counted(len(topic.examples), "story") if topic.examples else "its name"
    if not doubts:
        say(f"Tried: it would fire on {belongs}, and seldom on ordinary news.")
    if volume is not None:
        say(f"To be expected: {volume}.")
    for doubt in doubts:
        say(f"Look at this: {doubt.message}")
