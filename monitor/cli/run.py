"""`wirewatch run`: start the service, all of it or some of its stages."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.setup import config_option, fail
from monitor.stages import STAGES


def _stages(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in (value or ",".join(STAGES)).split(",") if part.strip())
    for name in chosen:
        if name not in STAGES:
            raise click.BadParameter(f"{name!r} is not a stage; they are {', '.join(STAGES)}")
    return tuple(name for name in STAGES if name in chosen)


@click.command()
@config_option
@click.option(
    "--only",
    "stages",
    callback=_stages,
    metavar="STAGES",
    help=f"Run only these stages, comma-separated: {', '.join(STAGES)}.",
)
@click.option("--verbose", is_flag=True, help="Show the log in the terminal, beside the alerts.")
def run(config_dir: Path, stages: tuple[str, ...], verbose: bool) -> None:
    """Watch feeds and alert, until Ctrl-C or SIGTERM.

    Without REDIS_URL (or store.url) everything runs in this process on an embedded Valkey.
    """
    import asyncio

    from monitor.errors import WirewatchError
    from workers.main import RunOptions, serve

    try:
        asyncio.run(serve(RunOptions(config_dir, stages, verbose=verbose)))
    except WirewatchError as error:
        fail(error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
