"""The settings of topics. Field descriptions are the reference documentation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from monitor.config.services import Settings
from monitor.config.value_types import Duration, Slug, Words


class Gate(Settings):
    """Words that must, or must not, stand in a story. `word*` matches by prefix."""

    any: Words = Field((), description="At least one of these words or phrases.")
    all: Words = Field((), description="Every one of these words or phrases.")


class MinSources(Settings):
    """How many independent sources must report an event, in all and of some trust."""

    any: int = Field(1, ge=1, le=10, description="So many in all, whatever their trust.")
    trusted: int = Field(
        0, ge=0, le=10, description="So many of trust wire, official or established."
    )
    wire: int = Field(0, ge=0, le=10, description="So many of trust wire.")


def _as_min_sources(value: object) -> object:
    """Read a bare number as so many sources of any trust."""
    return value if isinstance(value, dict | MinSources) else {"any": value}


class TopicAlerting(Settings):
    """How a topic alerts."""

    to: Words = Field((), description="Channels. Default: what the routes say.")
    urgency: Literal["low", "normal", "high", "critical"] = Field(
        "normal", description="critical passes quiet hours."
    )
    min_severity: Literal["none", "routine", "notable", "major", "flash"] = Field(
        "none", description="Leave out happenings of less consequence than this."
    )
    flash_passes_quiet_hours: bool = Field(
        False, description="true lets happenings of severity flash pass quiet hours and digests."
    )
    min_sources: Annotated[
        MinSources, BeforeValidator(_as_min_sources, json_schema_input_type=int | MinSources)
    ] = Field(
        MinSources(),
        description="Hold the alert until so many independent sources report it: a number, or "
        "{any: 2, trusted: 1, wire: 0}.",
    )
    wait_at_most: Duration = Field(
        6 * 3600.0, description="How long an alert may wait for further sources before it lapses."
    )
    updates: Literal["thread", "none", "alert"] = Field(
        "thread", description="Developments: into the thread, not at all, or as fresh alerts."
    )
    spikes: Literal["off", "balanced", "eager"] = Field(
        "off",
        description="One message when far more independent stories match than is usual for the "
        "hour, or report one event than did before. eager takes smaller rises.",
    )
    max_per_hour: int = Field(
        0, ge=0, description="More alerts than this in an hour fold into one digest. 0: no limit."
    )


class Topic(Settings):
    """One watch-topic. Only the name is needed; everything else sharpens it."""

    id: Slug = Field(description="Short name. Default: made from the name.")
    name: str = Field(description="What to watch, in a few words.", min_length=1)
    description: str = Field("", description="A sentence or two: what belongs, in plain words.")
    examples: Words = Field((), description="Headlines that belong.")
    not_: Words = Field((), alias="not", description="Headlines that look alike yet do not belong.")
    require: Gate = Field(default_factory=Gate, description="Words a story must contain.")
    exclude: Gate = Field(default_factory=Gate, description="Words that rule a story out.")
    languages: Words = Field((), description="Only stories in these languages.")
    feeds: Words = Field((), description="Only stories from these feeds.")
    tags: Words = Field((), description="Only stories from feeds with one of these tags.")
    labels: Words = Field((), description="Words to route this topic by.")
    sensitivity: Literal["strict", "balanced", "broad"] = Field(
        "balanced", description="How sure a match must be: strict 65 %, balanced 50 %, broad 35 %."
    )
    fresh_for: Duration = Field(
        48 * 3600.0, description="Older stories (by their own date) do not alert."
    )
    alert: TopicAlerting = Field(default_factory=TopicAlerting, description="How it alerts.")
    enabled: bool = Field(True, description="false keeps the topic in the file but does not watch.")
