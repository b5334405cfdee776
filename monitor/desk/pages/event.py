"""`/events/ID`: one happening with its stories, who was told, and what people do about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from monitor.alerting.feedback_store import Verdict
from monitor.alerting.silences import Matcher, Silence
from monitor.config.schema import SlackChannel
from monitor.desk.ask import Ask, BadRequest, Missing
from monitor.desk.render import page
from monitor.history.history_store import EventHistory
from monitor.history.records import Action, AlertRecord, Delivery, StoryRecord
from monitor.model import Notification


@dataclass(frozen=True, slots=True)
class Line:
    """A story of the timeline, with the alerts that were decided on it."""

    story: StoryRecord
    alerts: tuple[AlertRecord, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What the page shows.

    `id` names the event, `head` is its first alert or None (a story that waits for sources),
    `lines` its stories in the order they were seen, `alerts` every alert with its `deliveries` by
    alert id, `actions` what people did, `merged` the ids of events it took in, `claim` who is on
    it, `muted` whether its alerts are muted, `names` the topics' names by id.
    """

    id: str
    title: str
    head: AlertRecord | None
    lines: tuple[Line, ...]
    alerts: tuple[AlertRecord, ...]
    deliveries: Mapping[str, list[Delivery]]
    actions: tuple[Action, ...]
    merged: tuple[str, ...]
    claim: Action | None
    muted: bool
    names: Mapping[str, str]


async def show(ask: Ask) -> Response:
    """Show one event; the id of one it absorbed leads here too."""
    kept = await _event(ask)
    desk = ask.desk
    claims = await desk.history.claims([kept.id], ask.now - desk.config().events.window)
    silences = await desk.silences.active(ask.now)
    ours = Matcher("event", kept.id)
    head = kept.alerts[0] if kept.alerts else None
    context = Context(
        id=kept.id,
        title=head.title if head else kept.stories[0].title if kept.stories else kept.id,
        head=head,
        lines=tuple(_line(story, kept) for story in _all_stories(kept)),
        alerts=tuple(kept.alerts),
        deliveries=await desk.history.deliveries(kept.alerts, await desk.channels()),
        actions=tuple(kept.actions),
        merged=tuple(sorted(kept.merged)),
        claim=claims.get(kept.id),
        muted=any(ours in silence.matchers for silence in silences),
        names={topic.id: topic.name for topic in desk.config().topics},
    )
    return await page(ask, "event.html", context.title, "/", context)


async def answer(ask: Ask) -> Response:
    """Take a person's word that a story belongs to a topic, or does not."""
    kept, verdict = await _event(ask), ask.form.get("verdict", "")
    story, topic = ask.form.get("story", ""), ask.form.get("topic", "")
    known = {(alert.story, alert.topic) for alert in kept.alerts}
    if verdict not in ("relevant", "not_relevant") or (story, topic) not in known:
        raise BadRequest("an answer needs a verdict, and a story and topic of this event")
    good = verdict == "relevant"
    await ask.desk.feedback.add(topic, Verdict(story, good, ask.person.name, ask.now))
    words = f"{'relevant' if good else 'not relevant'} to {topic}"
    await ask.desk.history.note(kept.id, Action("answer", ask.person.name, ask.now, words))
    return ask.back(verdict, f"/events/{kept.id}")


async def claim(ask: Ask) -> Response:
    """Say that this person is on it; Slack hears it in the alert's thread."""
    kept, name = await _event(ask), ask.person.name
    await ask.desk.history.claim(kept.id, name, ask.now)
    await ask.desk.history.note(kept.id, Action("claim", name, ask.now, "is on it"))
    await ask.desk.outbox.put(_word(ask, kept, f"{name} is on it."))
    return ask.back("claimed", f"/events/{kept.id}")


async def release(ask: Ask) -> Response:
    """Take the claim back."""
    kept, name = await _event(ask), ask.person.name
    await ask.desk.history.claim(kept.id, "", ask.now)
    await ask.desk.history.note(kept.id, Action("release", name, ask.now, "is no longer on it"))
    await ask.desk.outbox.put(_word(ask, kept, f"{name} is no longer on it."))
    return ask.back("released", f"/events/{kept.id}")


async def mute(ask: Ask) -> Response:
    """Mute the event's further alerts on every channel, for as long as an event stays open."""
    kept, name = await _event(ask), ask.person.name
    ends = ask.now + ask.desk.config().events.window
    silence = Silence(
        uuid.uuid4().hex[:8], (Matcher("event", kept.id),), ask.now, ends, name, "desk", "mute"
    )
    await ask.desk.silences.add(silence, ask.now)
    await ask.desk.history.note(kept.id, Action("mute", name, ask.now, "muted its further alerts"))
    return ask.back("muted", f"/events/{kept.id}")


async def _event(ask: Ask) -> EventHistory:
    wanted = ask.path("event")
    kept = await ask.desk.history.event(wanted)
    if kept is None:
        raise Missing(f"no event {wanted[:80]!r} is in the history")
    return kept


def _line(story: StoryRecord, kept: EventHistory) -> Line:
    return Line(story, tuple(alert for alert in kept.alerts if alert.story == story.id))


def _all_stories(kept: EventHistory) -> list[StoryRecord]:
    """The stories kept, and those that only an alert speaks of."""
    found = {story.id: story for story in kept.stories}
    for alert in kept.alerts:
        if alert.story not in found:
            found[alert.story] = StoryRecord(
                id=alert.story,
                title=alert.title,
                seen_at=alert.seen_at,
                published=alert.published,
                url=alert.url,
                source=alert.source,
                owner=alert.owner,
                language=alert.language,
            )
    return sorted(found.values(), key=lambda story: (story.seen_at, story.id))


def _word(ask: Ask, kept: EventHistory, text: str) -> list[Notification]:
    """Return a word to the threads of Slack in which the event was told."""
    slack = [n for n, c in ask.desk.config().channels.items() if isinstance(c, SlackChannel)]
    firsts = [alert for alert in kept.alerts if not alert.is_update]
    return [
        Notification(
            id=f"word-{kept.id}-{ask.now:.3f}-{alert.id}@{channel}",
            channel=channel,
            kind="notice",
            notice=text,
            follows=f"{alert.id}@{channel}",
            created_at=ask.now,
            due=ask.now,
        )
        for alert in firsts
        for channel in slack
    ]
