"""A real browser (Debian's Chromium, without a sandbox of its own) on a desk that is served."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from monitor.desk.guard import COOKIE

WIDE, NARROW = (1280, 900), (320, 720)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Yield a browser."""
    binary = shutil.which("chromium")
    if binary is None:
        pytest.fail("chromium is not installed: apt install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=binary, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            await browser.close()


async def visitor(
    browser: Browser, address: str, session: str, *, size: tuple[int, int] = WIDE,
    scheme: str = "light", javascript: bool = True,
) -> BrowserContext:  # fmt: skip
    """Return a window of someone who is signed in."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=javascript,
        base_url=address,
    )
    await context.add_cookies([{"name": COOKIE, "value": session, "url": address}])
    return context


async def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return int(
        await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    )
