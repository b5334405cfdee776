"""A few outlets for the acceptance run: feeds that publish as fast as they are told to.

`GET /0.xml` … are the feeds; `POST /load?rate=5` sets the stories per second, `POST /publish`
puts out one story that a topic waits for, `GET /published` says how many there were.
"""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from benchmarks.soak import SoakWorld

FEEDS = 4


class Outlet(SoakWorld):
    """Feeds under a load that can be changed."""

    rate = 0.0

    async def load(self, request: web.Request) -> web.Response:
        """Set the stories per second."""
        self.rate = float(request.query["rate"])
        return web.json_response({"published": self.published})

    async def count(self, request: web.Request) -> web.Response:
        """Say how many were published."""
        return web.json_response({"published": self.published})

    async def one(self, request: web.Request) -> web.Response:
        """Publish the story that a topic waits for."""
        self.put(0, "Missiles damage the power plant at Tromsø, city without electricity", "")
        return web.json_response({"published": self.published})

    async def work(self) -> None:
        """Publish at the rate that was set."""
        begin, owed = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(0.05)
            now = time.monotonic()
            owed, begin = owed + (now - begin) * self.rate, now
            while owed >= 1:
                self.publish()
                owed -= 1


async def main() -> None:
    """Serve until stopped."""
    outlet = Outlet(FEEDS, keep=1000)
    app = web.Application()
    app.router.add_get("/{n}.xml", outlet.feed)
    app.router.add_post("/load", outlet.load)
    app.router.add_post("/publish", outlet.one)
    app.router.add_get("/published", outlet.count)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 8080).start()  # noqa: S104 -- inside a container
    await outlet.work()


if __name__ == "__main__":
    asyncio.run(main())
