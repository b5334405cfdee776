"""Counts, inside a container of the service, what the store holds; prints one line of JSON."""

import asyncio
import json
import os

from monitor.store.client import connect
from monitor.store.keys import Keys


async def main() -> None:
    """Count and print."""
    client, keys = connect(os.environ["REDIS_URL"]), Keys()
    count = {k.decode(): int(v) for k, v in (await client.hgetall(keys("count"))).items()}
    feeds = [f"outlet-{n}" for n in range(4)]
    states = [await client.hget(keys("feed", feed, "state"), "baselined") for feed in feeds]
    canary = await client.hgetall(keys("watch", "canary"))
    print(
        json.dumps(
            {
                "analysed": count.get("stories", 0),
                "alerts": count.get("alerts", 0),
                "dead": int(await client.hlen(keys("dead"))),
                "waiting": int(await client.zcard(keys("outbox", "newsroom"))),
                "queued": int(await client.xlen(keys("stream", "stories")))
                + int(await client.xlen(keys("stream", "vectors"))),
                "baselined": states.count(b"1"),
                "canary_ok": canary.get(b"ok", b"") == b"1",
                "receipts": sum(n for k, n in count.items() if k.startswith("delivery:newsroom:")),
            }
        )
    )
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(main())
