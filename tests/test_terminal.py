"""What a terminal or a page shows of strings from outside is text, and does nothing."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup, escape
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from monitor.analysis.backtest_report import environment as report_environment
from monitor.cli import main
from monitor.delivery.channels.email_message import template as mail_template
from monitor.desk.render import environment as desk_environment
from monitor.terminal import CleanConsole, as_json
from monitor.text import on_page, strip_invisible

HOSTILE = "\x1b[2J\x1b]8;;http://x\x07\x9b31m\u202egnp [/x][red] :smile:"


def shown(renderable: object) -> str:
    """Return what is printed to a terminal without colours."""
    out = io.StringIO()
    CleanConsole(file=out, width=200, color_system=None, force_terminal=True).print(renderable)
    return out.getvalue()


def test_a_terminal_obeys_no_string_from_outside() -> None:
    """By itself, in a table, in a box, in a styled line: no controls, no markup, no emoji."""
    table = Table("head")
    table.add_row(HOSTILE)
    for renderable in (HOSTILE, Text(HOSTILE), table, Panel(HOSTILE), Group(Text(HOSTILE))):
        said = shown(renderable)
        assert "[/x][red] :smile:" in said
        assert not set(said) & set("\x1b\x07\x9b\u202e")


@given(st.text(max_size=60))
def test_whatever_is_printed_is_clean(text: str) -> None:
    """Nothing that a line of text may not hold comes through."""
    said = shown(text)
    assert strip_invisible(said) == said


@given(st.recursive(st.text(max_size=20), lambda part: st.lists(part, max_size=3)))
def test_json_is_the_same_data_and_clean(data: object) -> None:
    """C1 controls and marks that turn a line round are escaped; programs read what was meant."""
    text = as_json(data)
    assert json.loads(text) == data
    assert not set(text) & {chr(code) for code in (*range(0x7F, 0xA0), *range(0x202A, 0x202F))}


@given(st.text(max_size=60))
def test_pages_show_what_is_left_of_a_text(text: str) -> None:
    """In pages, mails and reports alike: escaped, and without what turns a line round."""
    for value in (text, Markup("<i>{}</i>").format(text)):
        shown_there = Environment(autoescape=True, finalize=on_page).from_string("{{ it }}")
        html = shown_there.render(it=value)
        assert strip_invisible(html) == html
        assert html.startswith("<i>") or html == str(escape(strip_invisible(text)))


@pytest.mark.parametrize(
    "environment", [report_environment(), mail_template().environment, desk_environment()]
)
def test_every_kind_of_page_does_so(environment: Environment) -> None:
    """The report of a backtest, mails and the desk's pages."""
    assert environment.finalize is on_page


def test_a_mistake_is_told_clean() -> None:
    """An argument that a page or a mail offered to paste is repeated without its controls."""
    said = CliRunner().invoke(main, ["routes", "test", "--topic", HOSTILE])
    assert not set(said.output) & set("\x1b\x9b\u202e")


def test_a_terminal_breaks_sentences_between_words_and_a_pipe_not_at_all() -> None:
    """At 40 columns no word and no id is cut; a program that reads along gets one line."""
    words = "gone-gazette is paused; go on with: wirewatch feeds resume gone-gazette"
    command = [sys.executable, "-c", f"from monitor.cli.setup import say; say({words!r})"]
    piped = subprocess.run(command, capture_output=True, text=True, check=True)
    assert piped.stdout == words + "\n"
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    subprocess.run(command, stdout=theirs, stdin=theirs, env=environment, check=True)
    os.close(theirs)
    shown = os.read(ours, 1000).decode().replace("\r\n", "\n")
    os.close(ours)
    assert shown == "gone-gazette is paused; go on with:\nwirewatch feeds resume gone-gazette\n"
