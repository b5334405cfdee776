"""A web server on this machine with one RSS feed for each made-up outlet."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from workers.demo.script import OUTLETS, Piece


class FeedServer:
    """Serves `/OUTLET.xml` with what has been published so far. Use as a context manager."""

    def __init__(self) -> None:
        self._items: dict[str, list[tuple[Piece, datetime]]] = {name: [] for name in OUTLETS}
        items = self._items

        class DemoHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outlet = self.path.strip("/").removesuffix(".xml")
                if outlet not in items:
                    self.send_error(404)
                    return
                body = document(outlet, items).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/rss+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Stay silent: the terminal belongs to the alerts."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), DemoHandler)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> FeedServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, outlet: str) -> str:
        """Return the address of an outlet's feed."""
        return f"http://127.0.0.1:{self.port}/{outlet}.xml"

    def publish(self, piece: Piece) -> None:
        """Put an article on top of its outlet's feed, dated now."""
        self._items[piece.outlet].insert(0, (piece, datetime.now(UTC)))


def document(outlet: str, items: Mapping[str, list[tuple[Piece, datetime]]]) -> str:
    """Return an outlet's feed as RSS 2.0."""
    entries = "".join(
        f"<item><title>{escape(piece.title)}</title>"
        f"<link>https://{outlet}.example/{number}</link>"
        f"<guid isPermaLink='false'>{outlet}-{number}</guid>"
        f"<description>{escape(piece.summary)}</description>"
        f"<pubDate>{format_datetime(when)}</pubDate></item>"
        for number, (piece, when) in reversed(list(enumerate(reversed(list(items[outlet])))))
    )
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>"
        f"<title>{escape(OUTLETS[outlet])}</title><link>https://{outlet}.example/</link>"
        f"<description>Invented news</description><language>en</language>{entries}"
        "</channel></rss>"
    )
