"""The first hour of four readers, typed into a terminal of 80 x 24 and written down as it went.

    python -m tests.docs.walk [newcomer analyst editor operator]

Writes docs/walks/NAME.txt: what was typed, what was printed, and in a line or two what an earlier
walk found at that place. Everything is real but the news: outlets on this machine, a new folder,
the embedded store, the packaged model. Run it after a change of what commands print (minutes).
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import yaml

from tests.docs.pages import ROOT
from tests.docs.walk_slack import WalkSlack
from tests.support.outlets import Outlets

COLUMNS, LINES = 80, 24
LIMIT = 240.0  # seconds: a limit on hangs
_CODES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[([0-9;?]*)([A-Za-z])|[\r\n]")

QUAKE = "Magnitude 7.4 earthquake strikes off Sumatra, tsunami warning issued"
TOLL = "Sumatra earthquake: death toll rises to 31 as rescuers reach villages"
BRIDGE = "Railway bridge swept away by flood, train stops metres before the gap"
POWER = "Drones strike two power stations near Odesa, 200,000 homes dark"
TALKS = "US and Russian negotiators open Ukraine talks in Istanbul"
CALM = "Ferry timetable changes from Monday"


@dataclass
class Program:
    """A command in a terminal of its own."""

    process: subprocess.Popen[bytes]
    terminal: int
    printed: bytes = b""

    def read(self, seconds: float) -> bool:
        """Take in what comes within `seconds`; return False once the program has ended."""
        ready, _, _ = select.select([self.terminal], [], [], seconds)
        if ready:
            try:
                more = os.read(self.terminal, 65536)
            except OSError:
                return False
            self.printed += more
            return bool(more)
        return self.process.poll() is None

    def text(self) -> str:
        """What stands in the terminal, with all that has scrolled out of it."""
        return "\n".join(row.rstrip() for row in _shown(self.printed.decode("utf-8", "replace")))


def _shown(printed: str) -> list[str]:
    """Return the rows of a terminal: lines wrap at its width, a progress bar overwrites itself."""
    rows, row, column, at = [""], 0, 0, 0

    def put(text: str) -> None:
        nonlocal row, column
        for char in text:
            if column == COLUMNS:
                row, column = row + 1, 0
            while row >= len(rows):
                rows.append("")
            rows[row] = f"{rows[row].ljust(column)[:column]}{char}{rows[row][column + 1 :]}"
            column += 1

    for code in _CODES.finditer(printed):
        put(printed[at : code.start()])
        at = code.end()
        if code[0] == "\r":
            column = 0
        elif code[0] == "\n":
            row, column = row + 1, column
        elif code[2] == "A":
            row = max(0, row - int(code[1] or 1))
        elif code[2] == "K" and row < len(rows):
            rows[row] = "" if code[1] == "2" else rows[row][:column]
        while row >= len(rows):
            rows.append("")
    put(printed[at:])
    return rows


@dataclass
class PageWalk:
    """One reader in a new folder, and the record of what happened.

    Args:
        name: of the reader.
        folder: where the reader stands.
        outlets: what is published.
        exported: environment variables the reader has set.
    """

    name: str
    folder: Path
    outlets: Outlets
    lines: list[str] = field(default_factory=list)
    running: Program | None = None
    exported: dict[str, str] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Write a remark into the record."""
        self.lines += [f"# {line}" if line else "#" for line in text.splitlines()]

    def type(self, line: str, answers: str = "", code: int = 0) -> None:
        """Type a command, wait for its end, and record what it printed."""
        program = self._start(line)
        if answers:
            os.write(program.terminal, answers.encode())
        end = time.monotonic() + LIMIT
        while program.read(0.2):
            if time.monotonic() > end:
                program.process.kill()
                raise SystemExit(f"{self.name}: {line} did not end:\n{program.text()}")
        left = program.process.wait()
        self._record(line, program.text())
        if left != code:
            raise SystemExit(f"{self.name}: {line} left with {left}:\n{program.text()}")

    def start(self, line: str, until: str) -> None:
        """Start what runs for ever, and wait until it has printed `until`."""
        self.running = self._start(line)
        self.wait_for(until)
        self.lines += [
            f"$ {line}",
            "(runs in a terminal of its own; what it prints stands below)",
            "",
        ]

    def publish(self, outlet: str, title: str, summary: str, until: str) -> None:
        """Publish a story, and wait until the running service has printed `until`."""
        self.lines += [f"({outlet} publishes: {title})", ""]
        self.outlets.publish(outlet, title, summary)
        self.wait_for(until)

    def write(self, path: str, text: str) -> None:
        """Write a file as the reader does in an editor."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        self.lines += [f"(writes {path})", *(f"    {row}" for row in text.splitlines()), ""]

    def in_slack(self, slack: WalkSlack, text: str) -> None:
        """Write a command in Slack, and record what is answered."""
        self.lines += [f"(Ana, in Slack) /wirewatch {text}", *slack.ask(text), ""]

    def direct(self, slack: WalkSlack) -> None:
        """Record the next direct message that comes."""
        self.lines += [
            "(a direct message to Ana)",
            *(f"    {row}" for row in slack.next_direct()),
            "",
        ]

    def stop(self) -> None:
        """Press Ctrl-C in the terminal of what runs, and record all that it printed."""
        assert self.running is not None
        program, self.running = self.running, None
        os.killpg(program.process.pid, signal.SIGINT)
        end = time.monotonic() + LIMIT
        while program.read(0.2) and time.monotonic() < end:
            pass
        program.process.wait(timeout=30)
        self._record("(the terminal of the service, from its start to Ctrl-C)", program.text())

    def _start(self, line: str) -> Program:
        terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        process = subprocess.Popen(
            ["bash", "-c", line],
            cwd=self.folder,
            env={
                **env, **self.exported, "TERM": "xterm-256color", "NO_COLOR": "1", "NO_PROXY": "*"
            },
            stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        )  # fmt: skip
        os.close(inside)
        return Program(process, terminal)

    def wait_for(self, words: str) -> None:
        assert self.running is not None
        end = time.monotonic() + LIMIT
        while words not in self.running.text():
            alive = self.running.read(0.2)
            if not alive or time.monotonic() > end:
                raise SystemExit(f"{self.name}: never {words!r}, but:\n{self.running.text()}")

    def _record(self, line: str, printed: str) -> None:
        shown = f"$ {line}" if not line.startswith("(") else line
        text = printed.replace(str(self.folder), "/home/reader/news").strip("\n")
        text = re.sub(r"code=[\w-]+(?:\n[\w-]+)?", "code=…", text)
        self.lines += [shown, *text.splitlines(), ""]


def _watch_here(walk: PageWalk, *feeds: str, **more: object) -> None:
    """Have a configuration watch the outlets of this machine, often."""
    settings = {
        **more,
        "polling": {
            "allow_hosts": ["127.0.0.1"],
            "allow_ports": [walk.outlets.port],
            "host_spacing": "100ms",
            "min_interval": "1s",
        },
        "desk": {"port": 0},
    }
    path = walk.folder / "config" / "wirewatch.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    rows = [
        {"id": name, "name": name.replace("-", " ").title(), "url": walk.outlets.url(name),
         "interval": "1s"}
        for name in feeds
    ]  # fmt: skip
    (walk.folder / "config" / "feeds.yaml").write_text(yaml.safe_dump({"feeds": rows}))


def newcomer(walk: PageWalk) -> None:
    """Sees what it does, starts it without a network, and makes the first mistake."""
    walk.say("Before: the sample in the README was none that the program printed.")
    walk.type("wirewatch demo")
    walk.type("wirewatch init")
    walk.type("wirewatch check --no-model")
    walk.say("Without a network. Before: 28 log records of three lines, again at every retry.")
    walk.start("wirewatch run", "a network?")
    walk.stop()
    walk.say("Before: the second start said that it reads the feeds, and then nothing, for ever.")
    walk.start("wirewatch run", "a network?")
    walk.stop()
    walk.say("A slip of the fingers, a misspelt key, one blank too many.")
    walk.type("wirewatch topcs list", code=2)
    bad = "topics:\n  - name: Bridge collapses\n     exampels:\n       - Bridge falls\n"
    walk.write("config/topics/bridges.yaml", bad)
    walk.type("wirewatch check --no-model", code=2)
    walk.write("config/topics/bridges.yaml", bad.replace("     ex", "    ex"))
    walk.type("wirewatch check --no-model", code=2)


def analyst(walk: PageWalk) -> None:
    """Makes a topic of a few headlines, tries it, and backtests it on stories."""
    walk.type("wirewatch init > /dev/null")
    walk.say("A topic from stories. Before: there was only YAML to write.")
    walk.type(
        "wirewatch topics new --name 'Bridge collapses' --yes"
        f" --example '{BRIDGE}' --example 'Motorway bridge gives way, cars in the river'"
        " --not 'Player builds a bridge between old fans and new'"
    )
    walk.say("Before: ids were cut off at 80 columns, and could not be typed.")
    walk.type("wirewatch topics list")
    walk.say("Before: 42 lines for six topics, the headline repeated in each row.")
    walk.type(f"wirewatch topics try '{BRIDGE}'")
    walk.type('wirewatch topics try "Democrats take the fight to Trump on government shutdown"')
    stories = [
        {"id": "1", "title": BRIDGE, "source": "Valley Post", "published": "2026-03-02T06:10:00Z"},
        {"id": "2", "title": BRIDGE, "source": "Coast Daily", "published": "2026-03-02T06:40:00Z"},
        {"id": "3", "title": "Flood carries off railway bridge, two cars pulled from the river",
         "source": "Northern Wire", "published": "2026-03-02T07:30:00Z"},
        {"id": "4", "title": QUAKE, "source": "Coast Daily", "published": "2026-03-03T05:00:00Z"},
        {"id": "5", "title": "Player builds a bridge between old fans and new",
         "source": "Valley Post", "published": "2026-03-03T08:00:00Z"},
        {"id": "6", "title": CALM, "source": "Valley Post", "published": "2026-03-03T09:00:00Z"},
    ]  # fmt: skip
    walk.write("stories.jsonl", "".join(json.dumps(row) + "\n" for row in stories))
    walk.say("Before: the alerts that are counted were nowhere to be seen.")
    walk.type("wirewatch backtest --stories stories.jsonl --topic bridge-collapses --quiet")


def editor(walk: PageWalk) -> None:
    """Is alerted, asks why, silences, looks at what was told, and subscribes in Slack."""
    with WalkSlack() as slack:
        walk.type("wirewatch init > /dev/null")
        for outlet in ("harbour-wire", "northern-post"):
            walk.outlets.publish(outlet, CALM, "Two sailings move by ten minutes.")
        _watch_here(walk, "harbour-wire", "northern-post", **slack.settings)
        walk.exported |= slack.exported
        walk.start("wirewatch run", "already out there")
        _subscribes(walk, slack)
        begins = "Waves were seen along the coast, and people ran for the hills, officials said."
        walk.publish("harbour-wire", QUAKE, begins, QUAKE)
        walk.direct(slack)
        toll = "Rescuers dug through rubble; 31 people died."
        walk.publish("northern-post", TOLL, toll, TOLL[:40])
        walk.direct(slack)
        walk.say("Before: a list of ids, the same alert four times, no headline, no topic.")
        walk.type("wirewatch alerts")
        walk.type("wirewatch alerts --csv | cut -c1-80 | head -3")
        walk.say(
            "Before: 64 lines, the verdict at the end; what a silence had held was called sent."
        )
        walk.type("wirewatch explain https://harbour-wire.example/harbour-wire-1")
        _hears_later(walk, slack)
        walk.type("wirewatch silence add topic=strong-earthquakes --for 2h --reason 'we are on it'")
        walk.direct(slack)
        walk.type("wirewatch silence add topic=earthqakes --for 2h")
        walk.type("wirewatch silence list")
        walk.type("wirewatch routes test --topic strong-earthquakes")
        walk.in_slack(slack, "unsubscribe all")
        walk.stop()


def _subscribes(walk: PageWalk, slack: WalkSlack) -> None:
    """Three subscriptions: at once from a severity, a digest, and one that is paused."""
    today = date.today()
    walk.say("Three subscriptions in Slack; a wrong word is answered with what to write.")
    walk.in_slack(slack, "subscribe")
    walk.in_slack(slack, "subscribe strong-earthquaks from notable")
    walk.in_slack(slack, "subscribe strong-earthquakes from notable")
    walk.in_slack(slack, "subscribe energy-* digest 08:00,18:00 in Europe/London")
    pause = f"paused {today - timedelta(days=1)} to {today + timedelta(days=2)}"
    walk.in_slack(slack, f"subscribe us-russia-ukraine-talks {pause}")
    walk.in_slack(slack, "subscriptions")


def _hears_later(walk: PageWalk, slack: WalkSlack) -> None:
    """What waits for the digest, and what for the end of the pause."""
    walk.publish("harbour-wire", POWER, "A wave of drones hit two plants before dawn.", POWER)
    walk.publish("northern-post", TALKS, "A two-day round on a ceasefire has begun.", TALKS)
    walk.say("Both were told in the channel at once; Ana hears of them when she wants to.")
    walk.type("wirewatch explain https://harbour-wire.example/harbour-wire-2 | head -8")
    walk.type("wirewatch explain https://northern-post.example/northern-post-2 | head -8")
    walk.type("wirewatch subscriptions list")
    walk.type("wirewatch status | grep channel")
    walk.say("She takes the pause back, and gets what it held.")
    walk.in_slack(slack, "subscribe resume")
    walk.direct(slack)


def operator(walk: PageWalk) -> None:
    """Looks whether all is well, has feeds fail and come back, changes what runs."""
    walk.type("wirewatch init > /dev/null")
    for outlet in ("harbour-wire", "northern-post"):
        walk.outlets.publish(outlet, CALM, "Two sailings move by ten minutes.")
    _watch_here(walk, "harbour-wire", "northern-post", "gone-gazette")
    walk.start("wirewatch run", "already out there")
    walk.say("A failing feed takes one line. Before: eleven, its id cut off.")
    walk.type("wirewatch feeds list")
    walk.type("wirewatch status", code=1)
    walk.say("Before: there was no way to stop or start the polling of one feed.")
    walk.type("wirewatch feeds pause gone-gazette")
    walk.type("wirewatch feeds poll harbour-wire")
    walk.say("An edit is taken over in words, a mistake is refused in words. Before: nothing.")
    walk.write("config/topics/mine.yaml", "topics:\n  - name: Undersea cables\n")
    walk.wait_for("Configuration taken over")
    walk.write("config/topics/mine.yaml", "topics:\n  - nmae: Undersea cables\n")
    walk.wait_for("Not taken over")
    walk.write("config/topics/mine.yaml", "topics:\n  - name: Cables under the sea\n")
    walk.wait_for("Configuration taken over")
    walk.type("wirewatch dead list")
    walk.type("wirewatch test-alert")
    walk.stop()


WALKS: dict[str, Callable[[PageWalk], None]] = {
    "newcomer": newcomer,
    "analyst": analyst,
    "editor": editor,
    "operator": operator,
}


def main(names: list[str]) -> None:
    """Walk, and write the records."""
    target = ROOT / "docs" / "walks"
    target.mkdir(exist_ok=True)
    for name in names or list(WALKS):
        with tempfile.TemporaryDirectory() as folder, Outlets() as outlets:
            walk = PageWalk(name, Path(folder), outlets)
            done = (WALKS[name].__doc__ or "").strip()
            walk.say(f"The first hour of a reader: {name}. {done}\nA terminal of 80 x 24; made by "
                     "python -m tests.docs.walk\n")  # fmt: skip
            walk.lines.append("")
            try:
                WALKS[name](walk)
            finally:
                if walk.running is not None:
                    os.killpg(walk.running.process.pid, signal.SIGTERM)
                    walk.running.process.wait(timeout=30)
            (target / f"{name}.txt").write_text("\n".join(walk.lines).rstrip() + "\n", "utf-8")
            print(f"docs/walks/{name}.txt: {len(walk.lines)} lines")


if __name__ == "__main__":
    main(sys.argv[1:])
