"""Alerts gathered into happenings: one row for each event, as the screens show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.desk.services import Services
from monitor.history.records import Action, AlertRecord, Delivery
from monitor.history.search import Query
from monitor.reasons import Severity

READ = 200  # alerts that a page is made of
_RANK = {"critical": 0, "high": 1, "normal": 2, "low": 3}


@dataclass(frozen=True, slots=True)
class Happening:
    """One event as a row: its latest alert, how it began, and who knows.

    `told` is when the first channel had the first alert, 0 while none has. `claim` is who is on it.
    """

    event: str
    latest: AlertRecord
    first: AlertRecord
    alerts: int
    topics: tuple[str, ...]
    outlets: tuple[str, ...]
    urgency: str
    severity: str
    told: float
    deliveries: tuple[Delivery, ...]
    claim: Action | None = None

    @property
    def why(self) -> str:
        """Why it was told, in a few words: the phrase it is near, its score and the threshold."""
        near = f"near “{self.first.nearest}”, " if self.first.nearest else ""
        return f"{near}score {self.first.score:.2f} (threshold {self.first.line:.2f})"


async def happenings(desk: Services, query: Query, now: float) -> tuple[Happening, ...]:
    """Return the newest happenings that match, the one with the newest alert first."""
    found = await desk.history.search(query, READ)
    sent = await desk.history.deliveries(found.alerts, await desk.channels())
    events = list(dict.fromkeys(alert.event for alert in found.alerts))
    claims = await desk.history.claims(events, now - desk.config().events.window)
    return gathered(found.alerts, sent, claims)


def gathered(
    alerts: Sequence[AlertRecord],
    sent: Mapping[str, Sequence[Delivery]],
    claims: Mapping[str, Action],
) -> tuple[Happening, ...]:
    """Gather alerts, newest first, by their event. Pure."""
    by_event: dict[str, list[AlertRecord]] = {}
    for alert in alerts:
        by_event.setdefault(alert.event, []).append(alert)
    return tuple(_row(event, group, sent, claims) for event, group in by_event.items())


def _row(
    event: str,
    group: Sequence[AlertRecord],
    sent: Mapping[str, Sequence[Delivery]],
    claims: Mapping[str, Action],
) -> Happening:
    first = group[-1]
    deliveries = tuple(sent.get(first.id, ()))
    outlets = dict.fromkeys(name for alert in reversed(group) for name in _outlets(alert))
    return Happening(
        event=event,
        latest=group[0],
        first=first,
        alerts=len(group),
        topics=tuple(dict.fromkeys(alert.topic_name or alert.topic for alert in reversed(group))),
        outlets=tuple(outlets),
        urgency=min((alert.urgency for alert in group), key=lambda name: _RANK.get(name, 2)),
        severity=max((alert.severity for alert in group), key=Severity.rank),
        told=min((one.at for one in deliveries if not one.note), default=0.0),
        deliveries=deliveries,
        claim=claims.get(event),
    )


def _outlets(alert: AlertRecord) -> tuple[str, ...]:
    """The sources of an alert, each with its trust where that is known."""
    names = alert.outlets or alert.sources
    trusts = (*alert.trusts, *("" for _ in names))
    named = tuple(
        f"{name} ({trust})" if trust else name for name, trust in zip(names, trusts, strict=False)
    )
    return named or ((alert.source,) if alert.source else ())
