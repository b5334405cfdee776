"""Outlets on this machine: a real HTTP server whose feeds a test fills as it goes."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Outlets:
    """Serves `/NAME` with RSS made of published items, or with a document put there as it is.

    Use as a context manager; `requests` counts what was asked for.
    """

    def __init__(self, port: int = 0) -> None:
        self._items: dict[str, list[str]] = {}
        self._documents: dict[str, bytes] = {}
        self.requests: dict[str, int] = {}
        self.dark = False  # connections are closed without an answer
        outer = self

        class OutletHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.strip("/")
                outer.requests[name] = outer.requests.get(name, 0) + 1
                if outer.dark:
                    self.close_connection = True
                    return
                body = outer.body(name)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), OutletHandler)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, name: str) -> str:
        """The address of a feed."""
        return f"http://127.0.0.1:{self.port}/{name}"

    def serve(self, name: str, document: bytes) -> None:
        """Serve a document as it is."""
        self._documents[name] = document

    def publish(
        self, name: str, title: str, summary: str = "", guid: str = "", content: str = ""
    ) -> None:
        """Put an item, dated now, on top of a feed."""
        items = self._items.setdefault(name, [])
        guid = guid or f"{name}-{len(items)}"
        text = f"<content:encoded>{escape(content)}</content:encoded>" if content else ""
        items.insert(
            0,
            f"<item><title>{escape(title)}</title><guid isPermaLink='false'>{guid}</guid>"
            f"<link>https://{name}.example/{guid}</link>"
            f"<description>{escape(summary)}</description>{text}"
            f"<pubDate>{format_datetime(datetime.now(UTC))}</pubDate></item>",
        )

    def body(self, name: str) -> bytes | None:
        """The document served under a name."""
        if name in self._documents:
            return self._documents[name]
        if name not in self._items:
            return None
        return (
            "<?xml version='1.0'?><rss version='2.0' "
            "xmlns:content='http://purl.org/rss/1.0/modules/content/'><channel>"
            f"<title>{name}</title><link>https://{name}.example/</link>"
            f"<description>.</description>{''.join(self._items[name])}</channel></rss>"
        ).encode()
