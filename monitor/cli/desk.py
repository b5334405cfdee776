"""`wirewatch desk`: one-time addresses and API tokens of the desk."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.setup import config_option, fail, load_or_exit, open_store, run_async

if TYPE_CHECKING:
    from monitor.config.schema import Config
    from monitor.desk.sign_in_store import ApiToken

SCOPES = ("read", "answer", "silence", "operate", "edit")


@click.group()
def desk() -> None:
    """Who may use the desk: one-time addresses for people, tokens for programs."""


@desk.command("open")
@click.option("--as", "name", default=getpass.getuser, help="Whose name it opens for. Yours.")
@click.option("--role", type=click.Choice(["reader", "editor"]), default="editor")
@click.option("--port", type=int, help="Where the desk listens. Default: desk.port.")
@config_option
def open_(name: str, role: str, port: int | None, config_dir: Path) -> None:
    """Print an address that opens the desk once, within twelve hours, for one person."""
    config = load_or_exit(config_dir)
    code = run_async(_link(config, name, role))
    settings = config.desk
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    name_of_host = f"[{host}]" if ":" in host else host
    click.echo(f"http://{name_of_host}:{port or settings.port}/sign-in/link?code={code}")


@desk.group()
def token() -> None:
    """Make, list and remove tokens for programs."""


@token.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Default: read only."
)
@config_option
def add(name: str, scopes: tuple[str, ...], config_dir: Path) -> None:
    """Make a token called NAME and print it. It is shown this once; only its hash is kept.

    Programs send it as "Authorization: Bearer TOKEN".
    """
    config = load_or_exit(config_dir)
    try:
        click.echo(run_async(_add(config, name, scopes or ("read",))))
    except ValueError as error:
        fail(str(error), code=1)


@token.command("list")
@config_option
def list_(config_dir: Path) -> None:
    """List tokens: name, scopes, since when, made by whom."""
    from monitor.cli.words import moment

    found = run_async(_tokens(load_or_exit(config_dir)))
    for one in found:
        click.echo(f"{one.name}  {', '.join(one.rights)}  since {moment(one.made_at)}  {one.by}")
    if not found:
        click.echo("No tokens.")


@token.command()
@click.argument("name")
@config_option
def remove(name: str, config_dir: Path) -> None:
    """Take the token NAME away; it opens nothing from now on."""
    if not run_async(_remove(load_or_exit(config_dir), name)):
        fail(f"{name}: no such token; `wirewatch desk token list` names them", code=1)
    click.echo(f"{name}: removed")


async def _link(config: Config, name: str, role: str) -> str:
    from monitor.desk.sign_in_store import SignInStore

    async with open_store(config) as (client, keys):
        return await SignInStore(client, keys).make_link(name, role)


async def _add(config: Config, name: str, scopes: tuple[str, ...]) -> str:
    from monitor.desk.sign_in_store import SignInStore

    async with open_store(config) as (client, keys):
        store = SignInStore(client, keys)
        return await store.add_token(name, scopes, getpass.getuser(), time.time())


async def _tokens(config: Config) -> list[ApiToken]:
    from monitor.desk.sign_in_store import SignInStore

    async with open_store(config) as (client, keys):
        return await SignInStore(client, keys).tokens()


async def _remove(config: Config, name: str) -> bool:
    from monitor.desk.sign_in_store import SignInStore

    async with open_store(config) as (client, keys):
        return await SignInStore(client, keys).remove_token(name)
