"""What an HTTP answer that is no document means: which failure, and when it is a bot wall."""

from __future__ import annotations

import pytest
from feedlab import Publisher

from monitor.net.fetcher import Fetcher
from monitor.polling.fetch_result import classify_status
from monitor.reasons import FetchReason

WALL = "<html><title>Just a moment...</title><script>window._cf_chl_opt={}</script></html>"
PAGE = "<html><title>Not here</title><form class='g-recaptcha'></form>" + "<p>Sorry.</p>" * 900


async def reason(publisher: Publisher, fetcher: Fetcher) -> FetchReason:
    """Fetch the publisher's feed and return the reason its status stands for."""
    return classify_status(await fetcher.fetch(publisher.url()))[0]


@pytest.mark.parametrize("status", ["401", "403", "404", "410", "429", "500", "503"])
async def test_a_wall_comes_with_any_status(
    publisher: Publisher, fetcher: Fetcher, status: str
) -> None:
    """A bot check is named as such, also where its status is that of another failure."""
    publisher.serve("/feed", WALL, status=f"{status} X")
    assert await reason(publisher, fetcher) == FetchReason.BOT_WALL


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ("403", FetchReason.UNAUTHORISED),
        ("404", FetchReason.CLIENT_ERROR),
        ("410", FetchReason.GONE),
        ("429", FetchReason.RATE_LIMITED),
        ("503", FetchReason.UNAVAILABLE),
    ],
)
async def test_an_error_page_is_no_wall(
    publisher: Publisher, fetcher: Fetcher, status: str, named: FetchReason
) -> None:
    """A site's own page of an error, with a captcha in some form of it, changes no reason."""
    publisher.serve("/feed", PAGE, status=f"{status} X")
    assert await reason(publisher, fetcher) == named


@pytest.mark.parametrize(
    ("status", "named"), [("429", FetchReason.RATE_LIMITED), ("503", FetchReason.UNAVAILABLE)]
)
async def test_a_time_to_come_back_is_believed(
    publisher: Publisher, fetcher: Fetcher, status: str, named: FetchReason
) -> None:
    """With Retry-After it is a limit to keep to, whatever the page looks like."""
    publisher.serve("/feed", WALL, status=f"{status} X", Retry_After="60")
    assert await reason(publisher, fetcher) == named
