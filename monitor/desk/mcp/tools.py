"""The tools: what each is asked, and what it answers. All of them only read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from monitor.analysis.explain_store import explain, find_stories
from monitor.analysis.text_archive import TextVectors
from monitor.analysis.topic_trial import Trial, TrialCase, as_yaml, read_topic, try_topic
from monitor.config.schema import Topic
from monitor.desk import acts
from monitor.desk.ask import BadRequest, Missing
from monitor.desk.happenings import happenings
from monitor.desk.pages.feeds import feed_rows
from monitor.desk.render import iso, moment
from monitor.desk.services import Services
from monitor.history.search import Query

_LISTED = 50  # alerts that a backtest lists
_BACKTESTED = 5_000  # stories


class McpArguments(BaseModel):
    """Base of what tools are asked; an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid")


class SearchEvents(McpArguments):
    """What to search for; what is left out does not matter."""

    words: str = Field("", max_length=300, description="Words of headline, lead, outlet or topic.")
    topic: str = Field("", max_length=100, description="A topic's id.")
    outlet: str = Field("", max_length=100)
    urgency: str = Field("", max_length=20, description="critical, high, normal or low.")
    day: str = Field("", max_length=10, description="YYYY-MM-DD, UTC.")
    limit: int = Field(20, ge=1, le=100)


class GetEvent(McpArguments):
    """Which event."""

    event: str = Field(max_length=100, description="An id from search_events.")


class ExplainStory(McpArguments):
    """Which story."""

    story: str = Field(min_length=1, max_length=2000, description="An id, address, or words.")


class Nothing(McpArguments):
    """No arguments."""


class TryTopic(McpArguments):
    """A topic and a headline to try on it."""

    topic: str = Field(max_length=100, description="Id of the topic.")
    headline: str = Field("", max_length=500)
    yaml: str = Field("", max_length=20_000, description="The topic as proposed; else as it is.")


class BacktestTopic(McpArguments):
    """A topic and how far to look back."""

    topic: str = Field(max_length=100, description="Id of the topic.")
    yaml: str = Field("", max_length=20_000, description="The topic as proposed; else as it is.")
    days: int = Field(1, ge=1, le=14)


class FeedHealth(McpArguments):
    """Which feeds."""

    words: str = Field("", max_length=100, description="Part of an id or name.")
    only_trouble: bool = Field(True, description="Leave out the feeds that are well.")


@dataclass(frozen=True, slots=True)
class McpTool:
    """One tool. `answer` takes the services and a `takes`, and returns JSON-ready data."""

    name: str
    description: str
    takes: type[McpArguments]
    answer: Callable[[Services, Any], Awaitable[Any]]


async def search_events(desk: Services, asked: SearchEvents) -> Any:
    """Return happenings that were told, newest first."""
    try:
        query = Query.of(asked.words, asked.topic, asked.outlet, asked.urgency, asked.day)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    found = await happenings(desk, query, desk.clock.now())
    return [
        {
            "event": row.event,
            "headline": row.latest.title,
            "lead": row.latest.lead,
            "outlets": list(row.outlets),
            "url": row.latest.url,
            "topics": list(row.topics),
            "urgency": row.urgency,
            "alerts": row.alerts,
            "first_decided": iso(row.first.decided_at),
            "told": iso(row.told) if row.told else None,
            "score": row.first.score,
            "line": row.first.line,
            "claimed_by": row.claim.by if row.claim else "",
        }
        for row in found[: asked.limit]
    ]


async def get_event(desk: Services, asked: GetEvent) -> Any:
    """Return one event with its stories, alerts, and what people did."""
    kept = await acts.event_of(desk, asked.event)
    sent = await desk.history.deliveries(kept.alerts, await desk.channels())
    return {
        "id": kept.id,
        "stories": [asdict(story) for story in kept.stories[:100]],
        "alerts": [
            {**asdict(alert), "deliveries": [asdict(one) for one in sent[alert.id]]}
            for alert in kept.alerts[:100]
        ],
        "actions": [asdict(action) for action in kept.actions],
        "merged": sorted(kept.merged),
    }


async def explain_story(desk: Services, asked: ExplainStory) -> Any:
    """Return why a story was told or was not; for words, the stories that have them."""
    told = await explain(desk.client, desk.keys, desk.config(), asked.story, moment)
    if told is not None:
        return told
    now = desk.clock.now()
    since = now - desk.config().store.keep_stories
    hits = await find_stories(desk.archive, asked.story, since, now, 20)
    if not hits:
        raise Missing("no story of that address, id or words is kept")
    return {"stories": hits}


async def list_topics(desk: Services, asked: Nothing) -> Any:
    """Return every topic, whole."""
    return [
        {"id": one.id, "name": one.name, "enabled": one.enabled, "yaml": as_yaml(one)}
        for one in desk.config().topics
    ]


async def try_a_topic(desk: Services, asked: TryTopic) -> Any:
    """Return how a headline scores, and the last day's stories nearest the threshold."""
    trial = await _trial(desk, asked.topic, asked.yaml, asked.headline, 86400.0, 2_000)
    return {
        **_summary(trial),
        "headline": _case(trial.headline) if trial.headline else None,
        "just_above": _cases(trial.above),
        "just_below": _cases(trial.below),
    }


async def backtest_topic(desk: Services, asked: BacktestTopic) -> Any:
    """Return the alerts a topic would have sent, as it is and as proposed."""
    trial = await _trial(desk, asked.topic, asked.yaml, "", asked.days * 86400.0, _BACKTESTED)
    return {
        **_summary(trial),
        "days": asked.days,
        "list": _cases(trial.told_after.alerts[-_LISTED:]),
        "gained": _cases(trial.gained),
        "lost": _cases(trial.lost),
    }


async def feed_health(desk: Services, asked: FeedHealth) -> Any:
    """Return how feeds do."""
    words = asked.words.casefold()
    rows = [
        row
        for row in await feed_rows(desk, desk.clock.now())
        if words in f"{row.feed.id} {row.feed.name}".casefold()
    ]
    shown = [row for row in rows if row.trouble or not asked.only_trouble]
    return {
        "feeds": len(rows),
        "in_trouble": sum(bool(row.trouble) for row in rows),
        "list": [
            {
                "feed": row.feed.id,
                "name": row.feed.name,
                "health": row.health,
                "trouble": row.trouble,
                "last_item": iso(row.state.last_item) if row.state.last_item else None,
                "last_poll": iso(row.state.last_poll) if row.state.last_poll else None,
                "items": row.state.items,
            }
            for row in shown[:500]
        ],
    }


async def _trial(
    desk: Services, topic_id: str, text: str, headline: str, since: float, most: int
) -> Trial:
    topic = _topic(desk, topic_id)
    proposed = read_topic(text, topic.id) if text.strip() else topic
    vectors = TextVectors(desk.client, desk.keys)
    return await try_topic(
        desk.archive, vectors, desk.clock, topic, proposed, headline, since, most
    )


def _topic(desk: Services, topic_id: str) -> Topic:
    topic = desk.config().topic(topic_id)
    if topic is None:
        raise Missing("there is no topic of that id; list_topics names them")
    return topic


def _summary(trial: Trial) -> dict[str, Any]:
    return {
        "stories": trial.stories,
        "line": trial.line,
        "judged": trial.judged,
        "matches_as_it_is": trial.before,
        "matches_as_proposed": trial.after,
        "alerts_as_it_is": len(trial.told_before.alerts),
        "alerts_as_proposed": len(trial.told_after.alerts),
        "updates_as_proposed": trial.told_after.updates,
    }


def _cases(cases: Sequence[TrialCase]) -> list[dict[str, Any]]:
    return [_case(case) for case in cases]


def _case(case: TrialCase) -> dict[str, Any]:
    return {
        "story": case.story.id,
        "title": case.story.title,
        "outlet": case.story.source,
        "url": case.story.url,
        "seen": iso(case.story.seen_at) if case.story.seen_at else None,
        "score": round(case.after, 3),
        "score_as_it_is": round(case.before, 3),
        "matches": case.fired_after,
        "reason": case.reason,
        "nearest": case.nearest,
    }


TOOLS: dict[str, McpTool] = {
    tool.name: tool
    for tool in (
        McpTool(
            "search_events",
            "Search what the newsroom was told: happenings of the last year, newest first.",
            SearchEvents,
            search_events,
        ),
        McpTool(
            "get_event",
            "One happening whole: stories in order, alerts, who was told where, what people did.",
            GetEvent,
            get_event,
        ),
        McpTool(
            "explain_story",
            "Why a story was told, or was not: scores, event, copies, silences, deliveries.",
            ExplainStory,
            explain_story,
        ),
        McpTool(
            "list_topics", "The topics that are watched, with all settings.", Nothing, list_topics
        ),
        McpTool(
            "try_topic",
            "Try a headline, or a changed topic, on the last day's stories. Nothing is saved.",
            TryTopic,
            try_a_topic,
        ),
        McpTool(
            "backtest_topic",
            "The alerts a topic, or a change of it, would have sent in the last days.",
            BacktestTopic,
            backtest_topic,
        ),
        McpTool(
            "feed_health", "Which feeds are silent or failing, and why.", FeedHealth, feed_health
        ),
    )
}
