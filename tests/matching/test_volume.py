"""How many alerts a day a topic will send: by a service's own stories, else a guess."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.analysis.archive import AnalysisStore
from monitor.analysis.expected_alerts import LEAST, counted
from monitor.config.schema import Topic
from monitor.matching import Background, TopicMatcher, texts
from monitor.matching.judge_text import all_of, fingerprint
from monitor.matching.volume import from_ordinary_news, from_stories
from monitor.model import EmbeddedStory, Judged, Passage, Story
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from monitor.store.transaction import apply

MODEL = "any/1/t1"
NOW = 1_767_225_600.0
GRID = Topic(id="grid", name="Attacks on power grids")


def unit(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A unit vector of its own."""
    row = np.random.default_rng(seed).normal(size=16).astype(np.float32)
    return np.asarray(row / np.linalg.norm(row))


def matcher_of(*topics: Topic) -> TopicMatcher:
    """Topics over random vectors."""
    news = Background.from_vectors(np.stack([unit(n) for n in range(500)]), MODEL)
    vectors = {text: unit(10_000 + n) for n, text in enumerate(texts(topics))}
    return TopicMatcher.build(topics, vectors, news)


async def archived(store: Redis, keys: Keys, count: int) -> AnalysisStore:
    """A day of stories: 30 of them on the topic by the judge, three reports to an event."""
    archive = AnalysisStore(store, keys, 14 * 86400.0, 86400.0)
    for at in range(count):
        title = f"Story {at}"
        seen = NOW - 86400.0 + 86000.0 * at / count
        story = Story(id=f"s{at}", title=title, seen_at=seen, baseline=at == 1)
        answers = {fingerprint(GRID): (9.0, 0)} if at < 30 else {}
        item = EmbeddedStory(
            story, (Passage(0, "title", title, title),), unit(at)[None], MODEL,
            judged=Judged(all_of([GRID]), answers),
        )  # fmt: skip
        event = f"e{at // 3}" if at < 30 else f"e{at}"
        await apply(store, archive.story_commands(item, f'{{"event": "{event}"}}'))
    return archive


async def test_events_of_its_own_stories_are_counted(store: Redis, keys: Keys) -> None:
    """Thirty matches in ten events within a day are ten alerts a day, with a range around it."""
    archive = await archived(store, keys, 200)
    volume = (await counted(archive, matcher_of(GRID), NOW))["grid"]
    assert volume.a_day == pytest.approx(10.0, rel=0.02)
    assert 3.0 < volume.least < 6.0 and 14.0 < volume.most < 20.0
    assert volume.span.startswith("about 10 alerts a day (") and "199 stories" in volume.basis
    gated = GRID.model_copy(update={"require": GRID.require.model_copy(update={"any": ("none",)})})
    assert (await counted(archive, matcher_of(gated), NOW))["grid"].a_day == 0.0


async def test_too_few_stories_say_nothing(store: Redis, keys: Keys) -> None:
    """Below a hundred stories there is no count, so that the guess is given instead."""
    archive = await archived(store, keys, LEAST - 10)
    assert await counted(archive, matcher_of(GRID), NOW) == {}


def test_a_guess_grows_with_what_a_topic_takes_and_says_that_it_is_rough() -> None:
    """A topic that takes nothing of ordinary news is expected at the usual rate or below."""
    narrow, wide = (from_ordinary_news(taken, 180, 1_000.0) for taken in (0, 20))
    assert narrow.a_day < 3 < 20 < wide.a_day and "rough guess" in str(narrow)
    assert narrow.least == 0.0 and narrow.most < 15 and wide.least > 10
    assert from_stories(0.0, 5_000, 7.0).span == "hardly any (up to 0.6 a day)"
    assert replace(narrow, a_day=0.2).span.startswith("about one in 5 days")
