"""A notification as ninjs 3.0, the IPTC's news in JSON (iptc.org/std/ninjs). Pure.

An alert is a news object of type text, partial: headline, beginning and address of the story that
was told, with the topic as its subject and the happening as its event. A digest is a composite.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from monitor.delivery import formatting
from monitor.model import Alert, Notification

SCHEMA = "http://www.iptc.org/std/ninjs/ninjs-schema_3.0.json#"
_URGENCY = {"critical": 1, "high": 3, "normal": 5, "low": 7}  # 1 is the highest, 9 the lowest


def body(notification: Notification, now: float) -> dict[str, Any]:
    """Return one notification as a ninjs object; `now` is when it is sent, Unix seconds."""
    standard = {"name": "ninjs", "version": "3.0", "schema": SCHEMA}
    if notification.alert is not None:
        return {**_alert(notification.alert, notification.kind), "standard": standard}
    found: dict[str, Any] = {
        "uri": _urn("notification", notification.id),
        "type": "composite" if notification.alerts else "text",
        "representationType": "full",
        "versionCreated": _iso(now),
        "pubStatus": "usable",
        "headlines": [{"role": "main", "value": formatting.subject(notification)}],
        "standard": standard,
    }
    if notification.notice:
        found["bodies"] = [{"contentType": "text/plain", "value": notification.notice}]
    if notification.alerts:
        found["associations"] = [
            {**_alert(alert, "alert"), "name": formatting.headline(alert), "rel": "part"}
            for alert in notification.alerts
        ]
    return found


def _alert(alert: Alert, kind: str) -> dict[str, Any]:
    story = alert.story
    found: dict[str, Any] = {
        "uri": _urn("alert", alert.id),
        "type": "text",
        "representationType": "partial",
        "versionCreated": _iso(alert.decided_at),
        "pubStatus": "usable",
        "urgency": _URGENCY.get(alert.urgency, 5),
        "headlines": [{"role": "main", "contentType": "text/plain", "value": story.title}],
        "subjects": [
            {"name": alert.topic_name or alert.topic, "literal": alert.topic, "rel": "about"}
        ],
        "events": [
            {"id": alert.event, "uri": f"urn:wirewatch:event:{quote(alert.event, safe='')}"}
        ],
        "edNote": " · ".join(part for part in (alert.note, formatting.why_line(alert)) if part),
        "altIds": [
            {"role": "story", "value": story.id},
            {"role": "thread", "value": alert.parent or alert.id},
            {"role": "kind", "value": kind},
            {"role": "reason", "value": str(alert.reason)},
        ],
    }
    if story.published > 0:
        found["contentCreated"] = _iso(story.published)
    if story.language:
        found["language"] = story.language
    if story.author:
        found["by"] = story.author
    if alert.novelty or story.summary:
        lead = {"role": "summary", "contentType": "text/plain", "value": story.summary}
        new = {"role": "new", "contentType": "text/plain", "value": alert.novelty}
        found["descriptions"] = [one for one in (new, lead) if one["value"]]
    if url := formatting.link(story.url):
        found["renditions"] = [{"name": "web", "href": url, "contentType": "text/html"}]
    outlets = alert.outlets or alert.sources or ((story.source,) if story.source else ())
    found["infoSources"] = [{"name": name, "role": "reported by"} for name in outlets]
    return found


def _urn(kind: str, name: str) -> str:
    return f"urn:wirewatch:{kind}:{quote(name, safe='')}"


def _iso(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
