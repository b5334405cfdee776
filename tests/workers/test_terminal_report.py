"""What a person reads in the terminal beside the alerts: whole sentences, one for each change."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from monitor.clock import ManualClock
from monitor.config.load import examine, load_config
from monitor.config.reload import read_beside
from monitor.config.schema import Config
from monitor.model import FeedState
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from workers.runtime import Runtime
from workers.terminal_report import (
    TerminalReport,
    config_lines,
    goodbye,
    greeting,
    mistake_lines,
    notice_line,
    say_in_terminal,
)

FEEDS = [f"feed-{number}" for number in range(4)]


@pytest.fixture
def config(tmp_path: Path, keys: Keys) -> Config:
    """Four feeds and one topic."""
    (tmp_path / "feeds.yaml").write_text(
        "".join(f"- {{id: {name}, url: https://{name}.example/rss}}\n" for name in FEEDS)
    )
    (tmp_path / "topics.yaml").write_text("- Floods\n")
    (tmp_path / "wirewatch.yaml").write_text(f"store: {{prefix: {keys.prefix}}}\n")
    return load_config(tmp_path, {})


class Listener:
    """A report on a runtime, and what it said."""

    def __init__(self, config: Config, store: Redis, clock: ManualClock) -> None:
        self.said: list[str] = []
        self.clock = clock
        runtime = Runtime(config, store, "", clock)
        self.report = TerminalReport(runtime, lambda line: self.said.append(line.plain))

    def look(self, *reasons: str, out: bool = False) -> list[str]:
        """Let the report see each feed with how its poll ended ("" for well); return new lines."""
        before = len(self.said)
        now = self.clock.now()
        self.report.compare([
            FeedState(name, "", last_poll=now, last_reason=reason or "ok", failures=bool(reason))
            for name, reason in zip(FEEDS, reasons, strict=False)
        ], out=out)  # fmt: skip
        return self.said[before:]


@pytest.fixture
def listener(config: Config, store: Redis, clock: ManualClock) -> Listener:
    """A report that has said nothing yet."""
    return Listener(config, store, clock)


def test_without_a_network_there_is_one_sentence(listener: Listener) -> None:
    """Every feed failing at once is one question; it is not repeated, and its end is told."""
    (line,) = listener.look(*["dns_failed"] * 4)
    assert line.startswith("None of 4 feeds answers; is there a network?")
    assert listener.look(*["dns_failed"] * 4) == []
    assert listener.look("", "", "", "dns_failed") == ["The feeds answer again."]
    assert listener.look("", "", "", "") == ["feed-3 answers again."]


def test_an_outage_that_the_poller_sees_is_the_same_sentence(listener: Listener) -> None:
    """While our own network is out not every feed is asked: it is said once, and so is its end."""
    (line,) = listener.look("dns_failed", out=True)
    assert "is there a network?" in line
    assert listener.look("dns_failed", "dns_failed", out=True) == []
    assert listener.look("", "", "", "") == ["The feeds answer again."]


def test_the_watchdogs_words_are_lines_for_people() -> None:
    """No log records: the sentence alone; of the network this module speaks itself."""
    line = notice_line("canary_lost", "The canary did not arrive.", False)
    assert line is not None and line.plain == "The canary did not arrive."
    assert notice_line("network_out", "most sites fail", False) is None


def test_feeds_that_fail_take_one_line(listener: Listener) -> None:
    """However many fail, one line names some and counts the rest; the same ones are told once."""
    (line,) = listener.look("timeout", "", "client_error", "")
    assert "2 feeds fail: feed-0 (timeout), feed-2 (client_error)" in line
    assert listener.look("timeout", "", "client_error", "") == []
    assert listener.look("", "", "client_error", "") == ["feed-0 answers again."]


def test_servers_that_refuse_are_no_missing_network(listener: Listener) -> None:
    """Four feeds answering with errors do answer: nobody asks about the network."""
    (line,) = listener.look(*["client_error"] * 4)
    assert "network" not in line and "4 feeds fail" in line


async def test_a_later_start_says_what_is_known(
    config: Config, store: Redis, keys: Keys, clock: ManualClock, listener: Listener
) -> None:
    """The second start says how many feeds are watched, who answered and how much is known."""
    await store.hset(keys("config"), "first_look", "said")
    await listener.report.say_known()
    (line,) = listener.said
    assert line.startswith("Watching 4 feeds for 1 topic. ")
    assert "0 stories known, 0 alerts told so far" in line


def test_an_edit_is_told_and_so_is_a_refusal(config: Config, tmp_path: Path) -> None:
    """What is new, changed and gone is named; a mistake is named with file, line and remedy."""
    (tmp_path / "topics.yaml").write_text("- {name: Floods, sensitivity: strict}\n- Fires\n")
    (tmp_path / "feeds.yaml").write_text("- {id: feed-0, url: https://feed-0.example/rss}\n")
    new, problems, held = read_beside(tmp_path, config, {})
    (line,) = config_lines(config, new, problems, held)
    assert "new topic fires; changed topic floods" in line.plain
    assert "gone feeds feed-1, feed-2, feed-3" in line.plain
    (tmp_path / "topics.yaml").write_text("- {name: Floods, wrong: 1}\n")
    same, problems, held = read_beside(tmp_path, new, {})
    (line,) = config_lines(new, same, problems, held)
    assert "Not taken over:" in line.plain and "topics.yaml:1: unknown key" in line.plain
    assert "Left out:" in mistake_lines(examine(tmp_path, {}).problems)[0].plain


def test_lines_are_whole_at_eighty_columns_and_in_a_pipe(config: Config) -> None:
    """In a terminal a line breaks between words; in a pipe it is one line without padding."""
    words = greeting(config)
    narrow, pipe = io.StringIO(), io.StringIO()
    say_in_terminal(Console(file=narrow, width=80, force_terminal=True, color_system=None))(words)
    say_in_terminal(Console(file=pipe, width=80))(words)
    assert " ".join(narrow.getvalue().split()) == words.plain
    assert all(len(line) <= 80 for line in narrow.getvalue().splitlines())
    assert pipe.getvalue() == words.plain + "\n"
    assert "1 topic;" in words.plain and "stopped" in goodbye(config).plain
