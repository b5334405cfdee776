"""A day of archived stories and an embedder's answers, for trials of topics on the desk."""

from __future__ import annotations

import json

import pytest

from monitor.analysis.decision_record import decision_record
from monitor.analysis.story_analysis import StoryDecision
from monitor.analysis.text_archive import ModelInfo, TextVectors
from monitor.embedding import embed_stories
from monitor.embedding.hashing import HashingEmbedder
from monitor.matching import Background
from monitor.model import Assignment, Story
from monitor.store.transaction import apply
from tests.desk.world import DeskWorld

ENCODER = HashingEmbedder()
STORIES = (  # id, event, copy of, headline
    ("d1", "x1", "", "Energy infrastructure strikes: missiles hit a power plant"),
    ("d2", "x1", "d1", "Energy infrastructure strikes: missiles hit a power plant"),
    ("d3", "x2", "", "Energy infrastructure strikes continue in the south"),
    ("d4", "x3", "", "Harbour festival opens with a concert"),
    ("d5", "x4", "", "Local team wins the cup in extra time"),
    ("d6", "x5", "", "Infrastructure bill passes its first reading"),
)


async def known_phrases(world: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an embedder answer at once for every phrase that is wanted."""
    model = ModelInfo(ENCODER.fingerprint, ENCODER.dimension, "hashing")
    background = Background.of(ENCODER.fingerprint, ENCODER.encode)
    monkeypatch.setattr(Background, "shipped", lambda fingerprint: background)
    cache = TextVectors(world.store, world.keys)
    await cache.announce(model)
    want = TextVectors.want

    async def answered(self: TextVectors, texts: list[str]) -> None:
        await want(self, texts)
        await self.put(model, dict(zip(texts, ENCODER.encode(texts), strict=True)))

    monkeypatch.setattr(TextVectors, "want", answered)


async def archive_a_day(world: DeskWorld) -> None:
    """Archive stories as triage does, an hour apart, the last one just now."""
    now = world.clock.now()
    for number, (name, event, copy_of, title) in enumerate(STORIES):
        at = now - 3600.0 * (len(STORIES) - number)
        story = Story(
            id=name, title=title, source="Example", url=f"https://news.example.org/{name}",
            published=at, seen_at=at,
        )  # fmt: skip
        (item,) = embed_stories(ENCODER, [story], 4)
        kind = "exact" if copy_of else ""
        place = Assignment(name, event, copy_of=copy_of, copy_kind=kind, sources=("example",))
        record = decision_record(StoryDecision(item, place), at)

        commands = world.desk.archive.story_commands(item, json.dumps(record))
        await apply(world.store, commands)
