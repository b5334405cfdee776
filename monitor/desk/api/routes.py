"""Every address of the API: the right it needs, what it takes and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.desk.api import resources, shapes
from monitor.desk.ask import Answer


@dataclass(frozen=True, slots=True)
class Resource:
    """One address: `takes` is the shape of the body, `query` the fields of the address."""

    method: str
    path: str
    right: str
    answer: Answer
    gives: type[shapes.Shape]
    takes: type[shapes.Shape] | None = None
    query: tuple[str, ...] = ()
    status: int = 200


_SEARCH = ("q", "topic", "outlet", "urgency", "day", "limit", "before")
V1 = "/api/v1"
RESOURCES: tuple[Resource, ...] = (
    Resource("GET", f"{V1}/alerts", "read", resources.alerts, shapes.AlertPage, query=_SEARCH),
    Resource("GET", f"{V1}/alerts/{{alert}}", "read", resources.alert, shapes.OneAlert),
    Resource("GET", f"{V1}/events/{{event}}", "read", resources.event, shapes.EventDetail),
    Resource(
        "GET", f"{V1}/stories/{{story}}/explain", "read", resources.explain, shapes.Explanation
    ),
    Resource("GET", f"{V1}/feeds", "read", resources.feeds, shapes.Feeds),
    Resource("GET", f"{V1}/topics", "read", resources.topics, shapes.Topics),
    Resource("GET", f"{V1}/silences", "read", resources.silences, shapes.Silences),
    Resource("GET", f"{V1}/dead-letters", "read", resources.dead_letters, shapes.Letters),
    Resource(
        "POST", f"{V1}/silences", "silence", resources.add_silence, shapes.SilenceOut,
        takes=shapes.NewSilence, status=201,
    ),
    Resource(
        "DELETE", f"{V1}/silences/{{silence}}", "silence", resources.end_silence, shapes.Done
    ),
    Resource(
        "POST", f"{V1}/events/{{event}}/answers", "answer", resources.answer, shapes.Done,
        takes=shapes.NewAnswer, status=201,
    ),
    Resource(
        "POST", f"{V1}/events/{{event}}/apart", "answer", resources.part, shapes.Done,
        takes=shapes.StoryId, status=201,
    ),
    Resource(
        "POST", f"{V1}/events/{{event}}/claim", "answer", resources.claim, shapes.Done, status=201
    ),
    Resource("DELETE", f"{V1}/events/{{event}}/claim", "answer", resources.release, shapes.Done),
    Resource(
        "POST", f"{V1}/dead-letters/requeue", "operate", resources.requeue, shapes.Done,
        takes=shapes.LetterId,
    ),
)  # fmt: skip
