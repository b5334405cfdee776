"""Alerts as feeds: Atom (RFC 4287) and JSON Feed 1.1, all or one topic's, with the alerts' ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as Xml

from starlette.responses import JSONResponse, Response

from monitor.delivery.formatting import link
from monitor.desk.ask import Ask
from monitor.desk.pages.history import read_query
from monitor.desk.render import iso
from monitor.history.records import AlertRecord
from monitor.text import one_line

SHOWN = 100
_ATOM = "http://www.w3.org/2005/Atom"


async def atom(ask: Ask) -> Response:
    """Send the newest alerts as Atom; `topic`, `q` and the other filters narrow them."""
    found = (await ask.desk.history.search(read_query(ask), SHOWN)).alerts
    body = as_atom(found, str(ask.request.base_url), ask.request.url.path, ask.now)
    return Response(body, media_type="application/atom+xml")


async def json_feed(ask: Ask) -> Response:
    """Send the newest alerts as JSON Feed."""
    found = (await ask.desk.history.search(read_query(ask), SHOWN)).alerts
    return JSONResponse(
        as_json_feed(found, str(ask.request.base_url)), media_type="application/feed+json"
    )


def as_atom(alerts: Sequence[AlertRecord], base: str, path: str, now: float) -> bytes:
    """Return an Atom document; titles are plain text, so no reader takes them for markup."""
    Xml.register_namespace("", _ATOM)
    feed = Xml.Element(f"{{{_ATOM}}}feed")
    _add(feed, "id", f"{base.rstrip('/')}{path}")
    _add(feed, "title", "Wirewatch alerts")
    _add(feed, "updated", iso(alerts[0].decided_at if alerts else now))
    _add(feed, "link", rel="alternate", href=base)
    for alert in alerts:
        entry = Xml.SubElement(feed, f"{{{_ATOM}}}entry")
        _add(entry, "id", f"urn:wirewatch:alert:{alert.id}")
        _add(entry, "title", one_line(alert.title, 400), type="text")
        _add(entry, "updated", iso(alert.decided_at))
        if alert.published:
            _add(entry, "published", iso(alert.published))
        _add(entry, "link", rel="alternate", href=link(alert.url) or _page(base, alert))
        _add(entry, "link", rel="related", href=_page(base, alert))
        author = Xml.SubElement(entry, f"{{{_ATOM}}}author")
        _add(author, "name", one_line(alert.source, 100) or "unknown")
        _add(entry, "category", term=alert.topic, label=one_line(alert.topic_name, 100))
        _add(entry, "summary", _summary(alert), type="text")
    return bytes(Xml.tostring(feed, encoding="utf-8", xml_declaration=True))


def as_json_feed(alerts: Sequence[AlertRecord], base: str) -> dict[str, Any]:
    """Return a JSON Feed document."""
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Wirewatch alerts",
        "home_page_url": base,
        "items": [
            {
                "id": alert.id,
                "url": link(alert.url) or _page(base, alert),
                "title": one_line(alert.title, 400),
                "content_text": _summary(alert),
                "date_published": iso(alert.decided_at),
                "authors": [{"name": one_line(alert.source, 100) or "unknown"}],
                "tags": [alert.topic, alert.urgency],
            }
            for alert in alerts
        ],
    }


def _summary(alert: AlertRecord) -> str:
    why = f"{alert.topic_name or alert.topic}: {alert.reason.replace('_', ' ')}"
    return " ".join(part for part in (alert.note, alert.novelty or alert.lead, f"[{why}]") if part)


def _page(base: str, alert: AlertRecord) -> str:
    return f"{base.rstrip('/')}/events/{alert.event}"


def _add(parent: Xml.Element, name: str, text: str = "", **attributes: str) -> None:
    child = Xml.SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
    child.text = text or None
