"""Mails as a browser shows them: wide and phone-narrow, light and dark. Needs Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from monitor.delivery.channels import email_message
from tests.delivery.test_rendering import EXAMPLES, MAIL
from tests.support.alerts import FIRST, note

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LONG = replace(
    FIRST,
    story=replace(FIRST.story, title="Donaudampfschifffahrts" * 12),
    evidence="https://example.org/" + "path" * 60,
    sources=tuple(f"Outlet number {n} of many" for n in range(12)),
)
TOO_WIDE = "too wide on purpose"
_ASK = """<!DOCTYPE html><html><body><script>
const asked = [];
for (const frame of FRAMES) {
  const made = document.createElement('iframe');
  made.style.width = frame.width + 'px';
  made.style.height = '900px';
  made.srcdoc = frame.html;
  made.onload = () => {
    const page = made.contentDocument;
    const colour = (what) => made.contentWindow.getComputedStyle(page.querySelector(what));
    asked.push({name: frame.name, width: frame.width,
      needs: page.documentElement.scrollWidth, has: page.documentElement.clientWidth,
      card: colour('.card').backgroundColor, text: colour('h1, .item').color});
    if (asked.length === FRAMES.length) document.title = JSON.stringify(asked);
  };
  document.body.append(made);
}
</script></body></html>"""


def _look(folder: Path, *, dark: bool) -> list[dict[str, object]]:
    """Have Chromium lay every example out at both widths; return what it says."""
    pages = {name: email_message.html(item, MAIL) for name, item in EXAMPLES.items()}
    pages["long"] = email_message.html(note(LONG, "x"), MAIL)
    pages[TOO_WIDE] = pages["long"].replace("</body>", '<div style="width:600px">.</div></body>')
    frames = [
        {"name": name, "width": width, "html": html}
        for name, html in pages.items()
        for width in (360, 900)
    ]
    page = folder / "ask.html"
    data = json.dumps(frames).replace("</", "<\\/")
    page.write_text(_ASK.replace("const asked", f"const FRAMES = {data};\nconst asked", 1))
    scheme = "0" if dark else "1"
    assert CHROMIUM is not None, "Chromium is not installed: apt install chromium"
    run = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/p",
         f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=8000",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    title = run.stdout.partition("<title>")[2].partition("</title>")[0]
    answer: list[dict[str, object]] = json.loads(title.replace("&quot;", '"'))
    return answer


def _brightness(colour: object) -> float:
    numbers = str(colour).removeprefix("rgba(").removeprefix("rgb(").rstrip(")").split(",")
    return sum(float(part) for part in numbers[:3]) / 765.0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_mails_fit_and_can_be_read(tmp_path: Path, dark: bool) -> None:
    """No mail needs sideways scrolling on a phone; text stands out in both schemes.

    What a page needs is compared with what it has: the width less a scrollbar, where there is one.
    A mail made too wide shows that the browser would tell.
    """
    seen = _look(tmp_path, dark=dark)
    assert len(seen) == 2 * (len(EXAMPLES) + 2)
    for one in seen:
        wide = one["name"] == TOO_WIDE and one["width"] == 360
        assert (one["needs"] != one["has"]) == wide, f"{one['name']} at {one['width']}: {one}"
        card, text = _brightness(one["card"]), _brightness(one["text"])
        assert card < 0.2 if dark else card > 0.9
        assert abs(card - text) > 0.4, f"{escape(str(one['name']))}: text hardly stands out"
