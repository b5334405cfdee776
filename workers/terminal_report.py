"""What `wirewatch run` says in the terminal beside its alerts, in whole sentences.

It greets, says what a start after the first one already knows, and tells in one line each when a
configuration is taken over or refused, when feeds stop or begin again to answer, and good-bye. The
log says the same for machines; in a terminal its lines about these are left out (`HIDDEN`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from redis.exceptions import RedisError
from rich.console import Console
from rich.text import Text

from monitor.analysis.archive import AnalysisStore
from monitor.config.schema import Config
from monitor.errors import Problem
from monitor.health.config_store import ConfigStore
from monitor.model import FeedState
from monitor.observability.logs import get_logger, speak
from monitor.polling.feed_store import FeedStore
from monitor.reasons import FetchReason
from monitor.terminal import CleanConsole
from monitor.text import counted, one_line, spelled_span
from workers.runtime import Runtime

log = get_logger(__name__)

LOOK_EVERY = 2.0
PATIENCE = 30.0  # seconds in which the first round of polls may end before anything is said of it
HIDDEN = frozenset(
    {
        "poll_failed",
        "config_problem",
        "config_refused",
        "config_needs_restart",
        "config_reloaded",
        "network_out",
        "network_back",
    }
)
_NAMED = 3  # feeds a line names before it counts
# How a fetch fails when it is our own network that is missing.
_NO_NETWORK = frozenset({FetchReason.DNS_FAILED, FetchReason.CONNECT_FAILED, FetchReason.TIMEOUT})

Say = Callable[[Text], None]


def say_in_terminal(console: Console | None = None) -> Say:
    """Return what prints a line: wrapped at words in a terminal, whole into a pipe or file."""
    out = console or CleanConsole()
    return lambda line: out.print(line, soft_wrap=not out.is_terminal)


def greeting(config: Config) -> Text:
    """Return the first line people read: what starts, where alerts go, how to stop it."""
    feeds = counted(sum(feed.enabled for feed in config.feeds), "feed")
    channels = ", ".join(config.channels) or "this terminal (no Slack or e-mail channel yet)"
    where = f"data in {config.store.data_dir}" if config.store.url is None else "shared store"
    return Text(
        f"Wirewatch: {feeds}, {counted(len(config.topics), 'topic')}; alerts go to {channels}; "
        f"{where}. Ctrl-C stops."
    )


def goodbye(config: Config) -> Text:
    """Return the last line."""
    where = f" in {config.store.data_dir}" if config.store.url is None else ""
    return Text(f"Wirewatch has stopped. What it read and told is kept{where}.")


def notice_line(kind: str, text: str, recovered: bool) -> Text | None:
    """Return what the watchdog says, as a line; None where this module says it itself."""
    if kind == "network_out":
        return None
    return Text(text, style="green" if recovered else "yellow")


def speak_notices(say: Say) -> None:
    """Have the watchdog's notices told as sentences, in place of the log's records."""

    def tell(event: Mapping[str, Any]) -> None:
        line = notice_line(event["kind"], event["text"], event["recovered"])
        if line is not None:
            say(line)

    speak("notice", tell)


def config_lines(
    old: Config, new: Config, problems: Sequence[Problem], waiting: Sequence[str]
) -> list[Text]:
    """Return what to say of an edit: what was taken over, what was refused and where."""
    lines = []
    errors = [problem for problem in problems if problem.severity == "error"]
    if new != old:
        changes = [
            *_changes("topic", old.topics, new.topics),
            *_changes("feed", old.feeds, new.feeds),
        ]
        settings = [
            name
            for name in type(new).model_fields
            if name not in ("feeds", "topics") and getattr(new, name) != getattr(old, name)
        ]
        changes += [f"settings of {', '.join(settings)}"] if settings else []
        lines.append(Text(f"Configuration taken over: {'; '.join(changes)}.", style="green"))
    elif not errors:
        lines.append(Text("Configuration read again: nothing changed.", style="dim"))
    lines += mistake_lines(problems, "Not taken over")
    if waiting:
        lines.append(Text(f"After a restart: {', '.join(waiting)}.", style="yellow"))
    return lines


def mistake_lines(problems: Sequence[Problem], what: str = "Left out") -> list[Text]:
    """Return the mistakes of the files, the first few in full."""
    errors = [problem for problem in problems if problem.severity == "error"]
    lines = [Text(f"{what}: {one_line(str(one))}", style="yellow") for one in errors[:_NAMED]]
    if (more := len(errors) - _NAMED) > 0:
        text = f"and {counted(more, 'mistake')} more; see: wirewatch check"
        lines.append(Text(text, style="yellow"))
    return lines


def _changes(noun: str, old: Sequence[object], new: Sequence[object]) -> list[str]:
    before = {getattr(item, "id", ""): item for item in old}
    after = {getattr(item, "id", ""): item for item in new}
    groups = (
        ("new", [name for name in after if name not in before]),
        ("changed", [name for name in after if name in before and after[name] != before[name]]),
        ("gone", [name for name in before if name not in after]),
    )
    return [
        f"{what} {noun}{'' if len(names) == 1 else 's'} {_listed(names)}"
        for what, names in groups
        if names
    ]


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"


class TerminalReport:
    """Speaks of the feeds: what is known at a later start, and when they stop answering.

    Args:
        runtime: of this process.
        say: prints one line.
    """

    name = "terminal_report"

    def __init__(self, runtime: Runtime, say: Say) -> None:
        self._runtime = runtime
        self._say = say
        self._since = runtime.clock.now()
        self._failing: set[str] = set()
        self._no_network = False

    async def run(self) -> None:
        """Say what is known, then look at the feeds every two seconds until stopping."""
        try:
            if await ConfigStore(self._runtime.store, self._runtime.keys).first_run_summed_up():
                await self.say_known()
        except (RedisError, OSError) as error:
            log.warning("store_unreachable", worker=self.name, error=str(error))
        while not await self._runtime.wait_or_stop(LOOK_EVERY):
            try:
                out = await FeedStore(self._runtime.store, self._runtime.keys).outage()
                self.compare(await self._states(), out=bool(out))
            except (RedisError, OSError) as error:
                log.warning("store_unreachable", worker=self.name, error=str(error))

    async def _states(self) -> list[FeedState]:
        ids = [feed.id for feed in self._runtime.config.feeds if feed.enabled]
        return await FeedStore(self._runtime.store, self._runtime.keys).load_states(ids)

    async def say_known(self) -> None:
        """The first line of a later start: what is watched, who answered last, what is known."""
        archive = AnalysisStore.of(self._runtime.store, self._runtime.config)
        states = await self._states()
        answered = sum(1 for state in states if state.last_success and not state.failures)
        latest = max((state.last_success for state in states), default=0.0)
        counts = await archive.counts()
        line = Text("Watching ")
        line.append(counted(len(states), "feed"), "bold")
        line.append(" for ").append(
            counted(len(self._runtime.config.topics), "topic"), "bold"
        ).append(". ")
        if latest:
            all_of = "All" if answered == len(states) else f"{answered:,} of them"
            line.append(
                f"{all_of} answered when last read ({spelled_span(self._since - latest)} ago). "
            )
        line.append(f"{counted(counts.get('stories', 0), 'story')} known, ")
        line.append(f"{counted(counts.get('alerts', 0), 'alert')} told so far. ")
        line.append("New alerts follow as they happen.")
        self._say(line)

    def compare(self, states: Sequence[FeedState], *, out: bool = False) -> None:
        """Say what changed since the last look. Of many feeds at once, one line.

        `out` says that a poller takes our own network to be out.
        """
        if out:
            if not self._no_network:
                self._say(no_network_line(len(states)))
            self._no_network = True
            return
        tried = [state for state in states if state.last_poll >= self._since]
        early = self._runtime.clock.now() - self._since < PATIENCE
        if not tried or (len(tried) < len(states) and early):
            return
        failing = {state.feed_id: state for state in tried if state.failures}
        well = [state.feed_id for state in tried if not state.failures]
        if not well and no_network(failing.values()):
            if not self._no_network:
                self._say(no_network_line(len(tried)))
            self._no_network, self._failing = True, set(failing)
            return
        again = [name for name in well if name in self._failing]
        fresh = [state for name, state in failing.items() if name not in self._failing]
        if self._no_network and well:
            self._no_network = False
            self._say(Text("The feeds answer again.", style="green"))
            again = []
        self._failing = (self._failing | set(failing)) - set(well)
        for line in feed_lines(fresh, again):
            self._say(line)


def no_network(failing: Iterable[FeedState]) -> bool:
    """Say whether feeds fail in the way they do when it is our own network that is missing."""
    return all(state.last_reason in _NO_NETWORK for state in failing)


def no_network_line(feeds: int) -> Text:
    """Return the one sentence that stands for every feed failing at once."""
    which = "The one feed does not answer" if feeds == 1 else f"None of {feeds:,} feeds answers"
    return Text(
        f"{which}; is there a network? Everything is tried again by itself.", style="yellow"
    )


def feed_lines(failing: Sequence[FeedState], again: Sequence[str]) -> list[Text]:
    """Return a line on feeds that fail since the last look, and one on those that answer again."""
    lines = []
    if len(failing) == 1:
        state = failing[0]
        what = one_line(state.last_error or state.last_reason, 100)
        lines.append(Text(f"{state.feed_id} fails: {what}; tried again later.", style="yellow"))
    elif failing:
        names = _listed([f"{state.feed_id} ({state.last_reason})" for state in failing])
        lines.append(
            Text(f"{len(failing)} feeds fail: {names}; tried again later.", style="yellow")
        )
    if again:
        verb = "answers" if len(again) == 1 else "answer"
        lines.append(Text(f"{_listed(again)} {verb} again.", style="green"))
    return lines


def interactive() -> bool:
    """Say whether a person looks at this process's output."""
    return sys.stdout.isatty() and sys.stderr.isatty()
