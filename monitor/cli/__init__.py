"""The `wirewatch` command. Commands are imported only when called, so that help answers at once."""

from __future__ import annotations

from importlib import import_module

import click

# command -> (module, attribute, one line of help). Kept in the order people meet them.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("monitor.cli.init", "init", "Write a starter configuration to edit."),
    "check": ("monitor.cli.check", "check", "Find every mistake in the configuration."),
    "run": ("monitor.cli.run", "run", "Start the service."),
    "desk": ("monitor.cli.desk", "desk", "Open the desk; tokens for programs."),
    "status": ("monitor.cli.status", "status", "Feeds, queues, channels and alerts at a glance."),
    "alerts": ("monitor.cli.alerts", "alerts", "What was told; search it, export it."),
    "missed": ("monitor.cli.missed", "missed", "What an outside list had that you did not tell."),
    "replay": ("monitor.cli.replay", "replay", "Run stored stories through the analysis, offline."),
    "backtest": ("monitor.cli.backtest", "backtest", "What a topic file would have told."),
    "topics": ("monitor.cli.topics", "topics", "List topics, try a text, tune by answers."),
    "feedback": ("monitor.cli.feedback", "feedback", "Say whether a story belongs to a topic."),
    "explain": ("monitor.cli.explain", "explain", "The whole way of one story, and why."),
    "feeds": ("monitor.cli.feeds", "feeds", "List, inspect, find, import and export feeds."),
    "demo": ("monitor.cli.demo", "demo", "Watch the service at work, without a network."),
    "routes": ("monitor.cli.routes", "routes", "Where alerts go: the tree, and a test of it."),
    "subscriptions": (
        "monitor.cli.subscriptions",
        "subscriptions",
        "What single people are sent, by direct message or mail.",
    ),
    "silence": ("monitor.cli.silence", "silence", "Silence alerts for a while."),
    "dead": ("monitor.cli.dead", "dead", "What could not be processed or delivered."),
    "mcp": ("monitor.cli.mcp", "mcp", "Let a language model look things up; read-only."),
    "slack": ("monitor.cli.slack", "slack", "Print the manifest of the Slack app."),
    "test-alert": ("monitor.cli.test_alert", "test_alert", "Send a test alert to the channels."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, or None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown name is answered with the nearest one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if near := get_close_matches(args[0], COMMANDS, 1):
                text = f"{error.message.rstrip('.')}. Did you mean {near[0]}?"
                raise click.UsageError(text, ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table alone, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, row[2]) for name, row in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wirewatch", prog_name="wirewatch")
def main() -> None:
    """Watch the news, match it against your topics, alert once per happening."""
    from monitor.observability import logs

    logs.configure()
