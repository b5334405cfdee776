"""The desk in a real browser: every screen wide and narrow, light and dark, by keyboard, no script.

Chromium is slow to start, so one test looks at many screens. axe-core (MPL-2.0, in `vendor/`) finds
what a person with a screen reader or weak eyes would stumble over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.desk.browser import NARROW, WIDE, chromium, overflow, visitor
from tests.desk.test_feeds_page import feed_of
from tests.desk.world import HEADLINES, DeskWorld, told

AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text("utf-8")
SCREENS = {
    "now": "/", "event": "/events/e0", "why": "/why?q=nothing", "topics": "/topics",
    "tuner": "/topics/energy", "feeds": "/feeds", "delivery": "/delivery",
    "silences": "/silences?m=topic%3Denergy&for=2h", "history": "/history", "sign-in": "/sign-in",
    "feeds-found": "/feeds?q=coast",
    "letter": "/delivery/letter?id=notifier:x@world", "problem": "/events/none",
}  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def violations(page: Page) -> list[str]:
    """Return what axe-core finds on a page, as "rule: first element"."""
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate("axe.run({resultTypes: ['violations']})")
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_every_screen_is_accessible_and_fits(
    world: DeskWorld, size: tuple[int, int], scheme: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No violation of axe-core, no sideways scrolling, no error in the console, on any screen."""
    await world.hostile()
    wrong: list[str] = []
    shots = tmp_path_factory.mktemp("desk")
    async with world.served() as address, chromium() as browser:
        window = await visitor(browser, address, await world.session(), size=size, scheme=scheme)
        page = await window.new_page()
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on("console", lambda said: wrong.append(f"console: {said.text}")
                if "Content Security Policy" in said.text else None)  # fmt: skip
        for name, path in SCREENS.items():
            await page.goto(path)
            wide = await overflow(page)
            wrong += [f"{name}: {wide} pixels too wide"] if wide > 0 else []
            wrong += [f"{name}: {what}" for what in await violations(page)]
            shot = shots / f"{name}-{size[0]}-{scheme}.png"
            await page.screenshot(path=shot, full_page=True)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_a_feed_looked_at_is_accessible_and_fits(
    world: DeskWorld, size: tuple[int, int]
) -> None:
    """What a pasted address would give, and an address that is refused, without a violation."""
    async with feed_of(world) as url, world.served() as address, chromium() as browser:
        window = await visitor(browser, address, await world.session(), size=size)
        page = await window.new_page()
        wrong: list[str] = []
        for wanted, shown in ((url, "Ferry service resumes"), ("http://127.0.0.1:1/", "")):
            await page.goto("/feeds")
            await page.get_by_label("Address of a feed").fill(wanted)
            await page.get_by_role("button", name="Look").click()
            await expect(page.locator("main")).to_contain_text(shown)
            wrong += [f"{wanted}: {what}" for what in await violations(page)]
            wrong += ["too wide"] if await overflow(page) > 0 else []
    assert not wrong, "\n".join(wrong)


async def test_hostile_headlines_run_nothing(world: DeskWorld) -> None:
    """Scripts in headlines never run, not even where the page is made anew by one."""
    await world.hostile()
    async with world.served() as address, chromium() as browser:
        window = await visitor(browser, address, await world.session())
        page = await window.new_page()
        asked: list[str] = []
        page.on("dialog", lambda dialog: asked.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url)
                if not request.url.startswith(address) else None)  # fmt: skip
        for path in ("/", "/history", "/events/e100", "/events/e104", "/silences?m=topic%3Dtalks"):
            await page.goto(path)
        assert asked == []


async def test_everything_can_be_done_without_javascript(world: DeskWorld) -> None:
    """Filter, claim, answer, silence and search are links and forms."""
    async with world.served() as address, chromium() as browser:
        window = await visitor(browser, address, await world.session(), javascript=False)
        page = await window.new_page()
        await page.goto("/")
        await page.get_by_label("Words").fill("odesa")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator(".row")).to_have_count(1)
        await page.get_by_role("link", name=HEADLINES[0][0]).click()
        await page.get_by_role("button", name="I’m on it").click()
        await expect(page.get_by_text("You are on it")).to_be_visible()
        await page.get_by_role("button", name="Not relevant to Energy").first.click()
        await expect(page.get_by_text("does not belong")).to_be_visible()
        await page.get_by_role("link", name="Silences").click()
        await page.get_by_label("What, one condition").fill("topic=talks")
        await page.get_by_role("button", name="Preview").click()
        await expect(page.locator(".preview")).to_contain_text("1 of 5")
        await page.get_by_role("button", name="Silence", exact=True).click()
        await expect(page.get_by_text("Silenced.")).to_be_visible()


async def test_the_keyboard_reaches_everything(world: DeskWorld) -> None:
    """The first stop skips to the page; a story is opened and claimed with Tab and Enter alone."""
    async with world.served() as address, chromium() as browser:
        window = await visitor(browser, address, await world.session())
        page = await window.new_page()
        await page.goto("/")
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_text("Skip to the page")
        await page.keyboard.press("Enter")
        for _ in range(30):
            await page.keyboard.press("Tab")
            if HEADLINES[0][0] in (await page.locator(":focus").text_content() or ""):
                break
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/events/e0")
        for _ in range(30):
            await page.keyboard.press("Tab")
            if (await page.locator(":focus").text_content() or "").strip() == "I’m on it":
                break
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("You are on it")).to_be_visible()


async def test_two_people_one_writing_while_alerts_arrive(world: DeskWorld) -> None:
    """Who reads gets a bar with what is new; who types is not disturbed until done."""
    async with world.served() as address, chromium() as browser:
        reader = await (await visitor(browser, address, await world.session("Rita"))).new_page()
        writer = await (await visitor(browser, address, await world.session("Anna"))).new_page()
        for page in (reader, writer):
            async with page.expect_response("**/live?*"):
                await page.goto("/")
        await writer.get_by_label("Words").fill("half a wo")
        await world.tell(told(60, "A new thing happens", world.clock.now()))
        await world.tell(told(61, "And another one", world.clock.now()))
        await expect(reader.locator("[data-news]")).to_have_text("2 new: show")
        await expect(reader.locator(".row")).to_have_count(4)  # nothing moved by itself
        await expect(writer.locator("[data-news]")).to_be_hidden()
        await expect(writer.get_by_label("Words")).to_have_value("half a wo")
        await writer.get_by_label("Words").blur()
        await expect(writer.locator("[data-news]")).to_be_visible()
        await reader.get_by_role("link", name="2 new: show").click()
        await expect(reader.locator(".row")).to_have_count(6)
