"""`wirewatch slack`: what Slack needs to make the app."""

from __future__ import annotations

import click

from monitor.cli.setup import fail, say_json


@click.group()
def slack() -> None:
    """Set up the Slack app."""


@slack.command()
@click.option(
    "--url",
    default="",
    help="Public https address of Wirewatch. Without it: Socket Mode, which needs none.",
)
@click.option("--name", default="Wirewatch", show_default=True, help="What the app is called.")
def manifest(url: str, name: str) -> None:
    """Print the app's manifest, to paste at api.slack.com/apps → Create New App → From a manifest.

    It holds exactly the scopes that Wirewatch uses. Then install the app, and take its tokens.
    """
    from monitor.slack_app.manifest import manifest as make

    if url and not url.startswith("https://"):
        fail(f"{url}: Slack calls https addresses only")
    say_json(make(url, name))
