"""`wirewatch check`: every mistake in the configuration, in one go."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from monitor.cli.help_pages import MISTAKES, SETTINGS
from monitor.cli.setup import config_option, say

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config.reading import Reading
    from monitor.config.schema import Config
    from monitor.errors import Problem
    from monitor.matching.volume import Volume


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--no-model", is_flag=True, help="Do not judge topics by meaning (faster).")
@click.option(
    "--schema",
    type=click.Choice(["feeds", "topics", "wirewatch"]),
    help="Print the JSON Schema of a file instead, for editors.",
)
def check(config_dir: Path, as_json: bool, no_model: bool, schema: str | None) -> None:
    """Find every mistake in the configuration and say how to mend it.

    Exit code: 0 if the service can start on it (warnings may remain), 2 if not.
    """
    if schema:
        from monitor.config.json_schema import schema_files

        click.echo(schema_files()[f"{schema}.json"], nl=False)
        return
    from monitor.config.load import examine

    reading = examine(config_dir)
    problems = [*reading.problems, *_by_gates(reading), *_by_address(reading)]
    expected: dict[str, Volume] = {}
    if reading.config.topics and not no_model and not reading.errors:
        by_meaning, expected = _by_meaning(reading)
        problems = [*problems, *by_meaning]
    errors = sum(problem.severity == "error" for problem in problems)
    if as_json:
        click.echo(_as_json(reading, problems, expected))
    else:
        for problem in problems:
            say(str(problem))
        say(_summary(reading, errors, len(problems) - errors))
        for line in _expected(expected):
            say(line)
        if problems:
            say(f"More: {MISTAKES}, {SETTINGS}")
    sys.exit(2 if errors else 0)


def _summary(reading: Reading, errors: int, warnings: int) -> str:
    config = reading.config
    have = (
        f"{_count(len(config.feeds), 'feed')}, {_count(len(config.topics), 'topic')}, "
        f"{_channels(config)}"
    )
    if errors:
        more = f" and {_count(warnings, 'warning')}" if warnings else ""
        return f"{_count(errors, 'mistake')}{more}; without them: {have}."
    if warnings:
        return f"Usable, with {_count(warnings, 'warning')}: {have}."
    return f"All is well: {have}."


def _channels(config: Config) -> str:
    names = ", ".join(config.channels)
    return f"alerts to {names}" if names else "alerts to the terminal only"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _expected(volumes: dict[str, Volume]) -> list[str]:
    """Return a line for each topic on how much it will tell, the busiest first."""
    if not volumes:
        return []
    basis = next(iter(volumes.values())).basis
    ranked = sorted(volumes.items(), key=lambda pair: -pair[1].a_day)
    return [f"To be expected, by {basis}:", *(f"  {name}: {one.span}" for name, one in ranked)]


def _as_json(reading: Reading, problems: list[Problem], expected: dict[str, Volume]) -> str:
    config = reading.config
    return json.dumps(
        {
            "ok": not any(problem.severity == "error" for problem in problems),
            "feeds": len(config.feeds),
            "topics": len(config.topics),
            "channels": sorted(config.channels),
            "alerts_a_day": {
                name: {
                    "expected": round(one.a_day, 2),
                    "least": round(one.least, 2),
                    "most": round(one.most, 2),
                    "by": one.basis,
                }
                for name, one in expected.items()
            },
            "problems": [
                {
                    "file": problem.file,
                    "line": problem.line,
                    "severity": problem.severity,
                    "message": problem.message,
                }
                for problem in problems
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _by_gates(reading: Reading) -> list[Problem]:
    """Hold word gates against the topic's own examples, and against its feeds' languages."""
    from monitor.matching.gate_languages import never_met
    from monitor.matching.gates import own_examples_shut_out

    return [
        reading.problem("topic", topic.id, place, message)
        for topic in reading.config.topics
        for place, message in (
            *((("examples", at), said) for at, said in own_examples_shut_out(topic)),
            *never_met(topic, reading.config.feeds),
        )
    ]


# Names without a dot, and top-level domains that lead to no public address (RFC 6762, RFC 8375,
# ICANN's .internal, and what routers use).
_INTERNAL = re.compile(
    r"^[^.\d][^.:]*$|\.(?:local|internal|lan|home\.arpa|localdomain|intranet|corp|home|fritz\.box)$|^fritz\.box$"
)


def _by_address(reading: Reading) -> list[Problem]:
    """Find feeds and Apprise addresses that can never work, without asking the network."""
    import ipaddress
    import socket
    from urllib.parse import urlsplit

    from monitor.config.schema import AppriseChannel
    from monitor.errors import FetchError
    from monitor.net.address_guard import AddressGuard
    from monitor.reasons import FetchReason

    found = []
    polling = reading.config.polling
    guard = AddressGuard(polling.allow_hosts, polling.allow_ports)
    for feed in reading.config.feeds:
        try:
            _, host, port = guard.check_url(feed.url)
            name = urlsplit(feed.url).hostname or ""
            try:
                address = str(ipaddress.ip_address(name))
            except ValueError:
                here = name == "localhost" or name.endswith(".localhost")
                address = "127.0.0.1" if here else "8.8.8.8"  # some public one: ports only
                if re.fullmatch(r"[\dxa-f.]*\d[\dxa-f.]*", name):
                    with suppress(OSError):  # such as 127.1, which name servers read so, too
                        address = socket.inet_ntoa(socket.inet_aton(name))
                if _INTERNAL.search(name) and not here and not polling.allow_hosts:
                    raise FetchError(
                        FetchReason.BLOCKED_ADDRESS,
                        f"{name} is a name of an internal network; if you trust that host, add it "
                        "to polling.allow_hosts",
                    ) from None
            guard.check(host, port, [address])
        except FetchError as error:
            text = f"this feed can never be fetched: {error}"
            found.append(reading.problem("feed", feed.id, ("url",), text))
    for name, channel in reading.config.channels.items():
        if isinstance(channel, AppriseChannel):
            from monitor.delivery.channel import ChannelUnusable
            from monitor.delivery.channels.apprise import Apprise

            logging.getLogger("apprise").setLevel(logging.CRITICAL)
            try:
                Apprise(channel)
            except ChannelUnusable as error:
                found.append(reading.problem("channel", name, ("url",), str(error)))
    return found


def _by_meaning(reading: Reading) -> tuple[list[Problem], dict[str, Volume]]:
    """Return what the model has to say about the topics, as warnings, and how much they will tell.

    A topic that would tell more than anyone reads is named.
    """
    from monitor.analysis.offline import review_topics
    from monitor.cli.setup import console
    from monitor.cli.volumes import volumes
    from monitor.errors import ModelError, Problem
    from monitor.matching.volume import BUSY
    from monitor.observability import logs

    logs.configure(level="error")
    topics = reading.config.topics
    try:
        with console(stderr=True).status(f"judging {_count(len(topics), 'topic')} by meaning"):
            doubts, matcher, ordinary = review_topics(topics, reading.config.embedding)
            expected = volumes(reading.config, matcher, lambda: ordinary)
    except ModelError as error:
        text = f"the topics were not judged by meaning: {error}"
        return [Problem(reading.files[-1].name, 1, text, "warning")], {}
    found = [reading.problem("topic", one.topic, one.loc, one.message) for one in doubts]
    vague = {one.topic for one in doubts if one.kind == "vague"}
    for name, volume in expected.items():
        if volume.least > BUSY and name not in vague:
            text = f"this topic would tell a lot, {volume.span}; say less widely what belongs"
            found.append(reading.problem("topic", name, ("name",), text))
    return found, expected
