"""`wirewatch dead`: what could not be processed or delivered, and what to do with it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import (
    config_option,
    console,
    fail,
    load_or_exit,
    open_store,
    run_async,
    say,
    say_json,
)

if TYPE_CHECKING:
    from monitor.config.schema import Config
    from monitor.delivery.dead_letter_review import DeadLetter


@click.group()
def dead() -> None:
    """Look at dead letters, put them back, or drop them."""


@dead.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_(config_dir: Path, as_json: bool) -> None:
    """List what was set aside. Exit code: 1 if there is anything, 0 if not."""
    from rich.table import Table

    from monitor.text import ago, one_line

    letters = run_async(_all(load_or_exit(config_dir)))
    if as_json:
        say_json([{"id": x.id, **x.record} for x in letters])
    elif letters:
        table = Table("id", "since", "reason", "what", box=None)
        for letter in letters:
            since = ago(letter.at, time.time()) if letter.at else "-"
            table.add_row(letter.id, since, letter.reason, one_line(letter.what, 70))
        console().print(table)
    else:
        say("No dead letters.")
    raise SystemExit(1 if letters else 0)


@dead.command()
@click.argument("letter_id", metavar="ID")
@config_option
def show(letter_id: str, config_dir: Path) -> None:
    """Print one dead letter whole."""
    letter = _one(load_or_exit(config_dir), letter_id)
    say_json({"id": letter.id, **letter.record})


@dead.command()
@click.argument("letter_id", metavar="ID|all")
@config_option
def requeue(letter_id: str, config_dir: Path) -> None:
    """Put a dead letter (or all) back where it came from."""
    config = load_or_exit(config_dir)
    for letter in _chosen(config, letter_id):
        try:
            run_async(_requeue(config, letter))
        except ValueError as error:
            fail(str(error), code=1)
        say(f"{letter.id}: back in the queue of the {letter.stage}")


@dead.command()
@click.argument("letter_id", metavar="ID|all")
@config_option
@click.confirmation_option(prompt="Dropped letters are gone for good. Drop?")
def drop(letter_id: str, config_dir: Path) -> None:
    """Let a dead letter (or all) go for good."""
    config = load_or_exit(config_dir)
    for letter in _chosen(config, letter_id):
        run_async(_drop(config, letter))
        say(f"{letter.id}: dropped")


def _chosen(config: Config, letter_id: str) -> list[DeadLetter]:
    return run_async(_all(config)) if letter_id == "all" else [_one(config, letter_id)]


def _one(config: Config, letter_id: str) -> DeadLetter:
    found = [letter for letter in run_async(_all(config)) if letter.id == letter_id]
    if not found:
        fail(f"{letter_id}: no such dead letter; `wirewatch dead list` names them", code=1)
    return found[0]


async def _all(config: Config) -> list[DeadLetter]:
    from monitor.delivery.dead_letter_review import DeadLetters

    async with open_store(config) as (client, keys):
        return await DeadLetters(client, keys).list()


async def _requeue(config: Config, letter: DeadLetter) -> None:
    from monitor.delivery.dead_letter_review import DeadLetters

    async with open_store(config) as (client, keys):
        await DeadLetters(client, keys).requeue(letter, time.time())


async def _drop(config: Config, letter: DeadLetter) -> None:
    from monitor.delivery.dead_letter_review import DeadLetters

    async with open_store(config) as (client, keys):
        await DeadLetters(client, keys).drop(letter)
