"""The tutorial's walk over the desk in a real browser; its pictures are taken here.

WIREWATCH_PICTURES=1 python -m pytest tests/desk/test_tour.py     writes docs/images anew
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from monitor.reasons import FetchReason
from tests.desk.browser import chromium, visitor
from tests.desk.test_feeds_page import polled
from tests.desk.trial import archive_a_day, known_phrases
from tests.desk.world import HEADLINES, DeskWorld

DOCS = Path(__file__).parents[2] / "docs"
SIZE = (1180, 820)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def picture(page: Page, name: str, folder: Path) -> None:
    """Take a picture of what is in the window."""
    where = DOCS / "images" if os.environ.get("WIREWATCH_PICTURES") else folder
    where.mkdir(exist_ok=True)
    await page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    await page.screenshot(path=where / f"desk-{name}.png", animations="disabled")


async def test_the_walk_of_the_tutorial(
    world: DeskWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every step that the tutorial tells can be taken; its pictures are taken on the way."""
    await known_phrases(world, monkeypatch)
    await archive_a_day(world)
    await polled(world, *[FetchReason.UNCHANGED] * 46, *[FetchReason.TIMEOUT] * 2)
    link = await world.desk.sign_in.make_link("Anna")
    async with world.served() as address, chromium() as browser:
        window = await visitor(browser, address, "nobody", size=SIZE)
        page = await window.new_page()
        await page.goto(f"/sign-in/link?code={link}")
        await expect(page.locator(".row")).to_have_count(4)
        await picture(page, "now", tmp_path)
        await page.get_by_role("link", name=HEADLINES[0][0]).click()
        await page.get_by_role("button", name="I’m on it").click()
        await expect(page.get_by_text("You are on it")).to_be_visible()
        await picture(page, "event", tmp_path)
        await page.get_by_role("button", name=re.compile("Not the same happening")).last.click()
        await expect(page.get_by_text("Being kept apart")).to_be_visible()
        await page.get_by_role("link", name="Why", exact=True).click()
        await page.get_by_role("searchbox").fill("festival")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Harbour festival")).to_be_visible()
        await page.get_by_role("link", name="Topics").click()
        await page.get_by_role("link", name="Energy infrastructure strikes", exact=True).click()
        typed = await page.get_by_label("The topic as YAML").input_value()
        await page.get_by_label("The topic as YAML").fill(
            f"{typed}not:\n- Harbour festival opens\n"
        )
        await page.get_by_role("button", name="Try it").click()
        await expect(page.get_by_text("Alerts it would have sent")).to_be_visible()
        await picture(page, "tuner", tmp_path)
        await page.get_by_role("link", name="Feeds").click()
        await expect(page.locator(".strip").first).to_be_visible()
        await picture(page, "feeds", tmp_path)


def test_every_picture_of_the_tutorial_is_there() -> None:
    """The tutorial shows pictures that exist, of the walk's size, and no picture lies about."""
    shown = set(
        re.findall(r"\]\(images/(desk-\w+\.png)\)", (DOCS / "tutorial.md").read_text("utf-8"))
    )
    assert shown == {path.name for path in (DOCS / "images").glob("desk-*.png")}
    for name in shown:
        raw = (DOCS / "images" / name).read_bytes()
        assert raw[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", raw[16:24]) == SIZE
