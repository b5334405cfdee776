"""The shapes of the API: what is sent and what is taken. The OpenAPI file is made from them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from monitor.history.records import Action, AlertRecord, Delivery, EventLine, StoryRecord


class Shape(BaseModel):
    """Base of every shape; what is taken may hold no unknown key."""

    model_config = ConfigDict(extra="forbid")


class AlertPage(Shape):
    """A page of alerts, newest first."""

    alerts: list[AlertRecord]
    next: str = Field(description="Cursor for `before`, to get older ones; empty at the end.")


class OneAlert(Shape):
    """One alert and what became of it on each channel."""

    alert: AlertRecord
    deliveries: list[Delivery]


class EventDetail(Shape):
    """One event with everything kept of it, each list in time order."""

    id: str
    stories: list[StoryRecord]
    lines: list[EventLine] = Field(
        description="How it began and what each story added, in the stories' own words."
    )
    alerts: list[AlertRecord]
    actions: list[Action]
    merged: list[str] = Field(description="Ids of events that turned out to be this one.")
    claimed_by: str = Field(description="Who is on it, or empty.")


class Feed(Shape):
    """One feed and how it does. Instants are Unix seconds, 0 for never."""

    id: str
    name: str
    enabled: bool
    health: str = Field(description="new, ok, silent, failing, ended or off.")
    trouble: str
    last_item: float
    last_poll: float
    next_due: float
    items: int


class Feeds(Shape):
    """Every configured feed."""

    feeds: list[Feed]


class WatchedTopic(Shape):
    """One topic; `yaml` is all of it."""

    id: str
    name: str
    enabled: bool
    sensitivity: str
    yaml: str


class Topics(Shape):
    """Every configured topic."""

    topics: list[WatchedTopic]


class SilenceOut(Shape):
    """One silence, mute or snooze."""

    id: str
    kind: str
    matchers: list[str]
    starts: float
    ends: float
    author: str
    reason: str


class Silences(Shape):
    """The silences in force."""

    silences: list[SilenceOut]


class Letter(Shape):
    """One dead letter, without the message it holds."""

    id: str
    stage: str
    reason: str
    detail: str
    what: str
    at: float


class Letters(Shape):
    """Every dead letter, oldest first."""

    dead_letters: list[Letter]


class Explanation(Shape):
    """Why a story was told or was not, as `wirewatch explain --json` prints it."""

    model_config = ConfigDict(extra="allow")

    verdict: str
    story: dict[str, Any]
    topics: list[dict[str, Any]]


class NewSilence(Shape):
    """What to silence: every matcher must hold."""

    matchers: list[str] = Field(max_length=50, examples=[["topic=energy-*"]])
    lasts: str = Field("2h", max_length=20, examples=["6h"])
    reason: str = Field("", max_length=200)


class NewAnswer(Shape):
    """A word on an alert's story."""

    story: str = Field(max_length=200)
    topic: str = Field(max_length=200)
    relevant: bool


class StoryId(Shape):
    """Which story of the event."""

    story: str = Field(max_length=200)


class LetterId(Shape):
    """Which dead letter."""

    id: str = Field(max_length=500)


class Done(Shape):
    """It was done."""

    done: bool = True


class Fault(Shape):
    """It was not done; the sentence says why."""

    error: str
