"""What a person may do about an event or with silences, for pages and the API alike."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from monitor.alerting.feedback_store import Verdict
from monitor.alerting.silences import Matcher, Silence
from monitor.analysis.parting_store import Parting
from monitor.config.schema import SlackChannel
from monitor.config.value_types import parse_duration
from monitor.desk.ask import BadRequest, Missing
from monitor.desk.people import Person
from monitor.desk.services import Services
from monitor.history.history_store import EventHistory
from monitor.history.records import Action
from monitor.model import Notification
from monitor.text import one_line

LONGEST_SILENCE = 90 * 86400.0


async def event_of(desk: Services, event_id: str) -> EventHistory:
    """Return what is kept of an event.

    Raises:
        Missing: there is none of that id.
    """
    kept = await desk.history.event(event_id)
    if kept is None:
        raise Missing(f"no event {event_id[:80]!r} is in the history")
    return kept


async def answer(
    desk: Services, person: Person, event_id: str, story: str, topic: str, good: bool
) -> EventHistory:
    """Keep a person's word that a story belongs to a topic, or does not.

    Raises:
        BadRequest: this event has no alert of that story and topic.
    """
    kept, now = await event_of(desk, event_id), desk.clock.now()
    if (story, topic) not in {(alert.story, alert.topic) for alert in kept.alerts}:
        raise BadRequest("an answer needs a verdict, and a story and topic of this event")
    title = next(alert.title for alert in kept.alerts if alert.story == story)
    await desk.feedback.add(topic, Verdict(story, good, person.name, now, title))
    words = f"{'relevant' if good else 'not relevant'} to {topic}"
    await desk.history.note(kept.id, Action("answer", person.name, now, words))
    return kept


async def claim(desk: Services, person: Person, event_id: str) -> EventHistory:
    """Say that a person is on an event; Slack hears it in the alerts' threads."""
    return await _claim(desk, event_id, person.name, person.name, "is on it")


async def release(desk: Services, person: Person, event_id: str) -> EventHistory:
    """Take a claim back."""
    return await _claim(desk, event_id, "", person.name, "is no longer on it")


async def mute(desk: Services, person: Person, event_id: str) -> EventHistory:
    """Mute an event's further alerts on every channel, for as long as an event stays open."""
    kept, now = await event_of(desk, event_id), desk.clock.now()
    ends = now + desk.config().events.window
    what = (Matcher("event", kept.id),)
    new = Silence(uuid.uuid4().hex[:8], what, now, ends, person.name, "desk", "mute")
    await desk.silences.add(new, now)
    note = Action("mute", person.name, now, "muted its further alerts")
    await desk.history.note(kept.id, note)
    return kept


async def part(desk: Services, person: Person, event_id: str, story: str) -> EventHistory:
    """Keep a story apart from the event it is in: not the same happening. Triage does it.

    Raises:
        BadRequest: the story is not in this event, is a copy, is alone in it, or was parted before.
    """
    kept, now = await event_of(desk, event_id), desk.clock.now()
    own = {one.id: one for one in kept.stories if not one.copy_of}
    if story not in own or len(own) < 2:
        raise BadRequest("name a story of this event that is no copy and not alone in it")
    if not await desk.partings.ask(Parting(story, person.name, now)):
        raise BadRequest("this story was kept apart before")
    words = f"not the same happening: {one_line(own[story].title, 200)}"
    await desk.history.note(kept.id, Action("apart", person.name, now, words))
    return kept


async def silence(
    desk: Services, person: Person, matchers: Sequence[str], lasts: str, reason: str
) -> Silence:
    """Add a silence in a person's name and return it.

    Raises:
        BadRequest: with what is wrong and how to write it.
    """
    parsed, seconds = read_silence(matchers, lasts)
    now = desk.clock.now()
    new = Silence(uuid.uuid4().hex[:8], parsed, now, now + seconds, person.name, reason[:200])
    await desk.silences.add(new, now)
    return new


def read_silence(matchers: Sequence[str], lasts: str) -> tuple[tuple[Matcher, ...], float]:
    """Read matchers and a duration.

    Raises:
        BadRequest: with what is wrong and how to write it.
    """
    try:
        parsed = tuple(Matcher.parse(text) for text in matchers if text.strip())
        seconds = parse_duration(lasts)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    if not parsed:
        raise BadRequest("say what to silence, such as topic=energy-*")
    if not 0 < seconds <= LONGEST_SILENCE:
        raise BadRequest("a silence lasts from a moment to 90 days")
    return parsed, seconds


async def _claim(desk: Services, event_id: str, holder: str, name: str, words: str) -> EventHistory:
    kept, now = await event_of(desk, event_id), desk.clock.now()
    await desk.history.claim(kept.id, holder, now)
    kind = "claim" if holder else "release"
    await desk.history.note(kept.id, Action(kind, name, now, words))
    await desk.outbox.put(_word(desk, kept, f"{name} {words}.", now))
    return kept


def _word(desk: Services, kept: EventHistory, text: str, now: float) -> list[Notification]:
    """Return a word to the threads of Slack in which the event was told."""
    slack = [n for n, c in desk.config().channels.items() if isinstance(c, SlackChannel)]
    firsts = [alert for alert in kept.alerts if not alert.is_update]
    return [
        Notification(
            id=f"word-{kept.id}-{now:.3f}-{alert.id}@{channel}",
            channel=channel,
            kind="notice",
            notice=text,
            follows=f"{alert.id}@{channel}",
            created_at=now,
            due=now,
        )
        for alert in firsts
        for channel in slack
    ]
