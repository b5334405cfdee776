"""After a change of model: the events that are open go on, with vectors by the new one.

Vectors of two models say nothing about one another, so each model has its own window. When triage
finds none for the model in use but one of another, it has the stories' stored texts embedded anew
and takes their events over. Until that is done no story is analysed: they wait in the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.analysis.archive import AnalysisStore
from monitor.analysis.text_archive import ModelInfo
from monitor.embedding.passages import event_text, passages
from monitor.events import records, vector_space
from monitor.events.features import Member
from monitor.observability.logs import get_logger
from monitor.store.transaction import Command
from monitor.tasks import Progress
from workers.topic_loader import TopicMatcherLoader

log = get_logger(__name__)


async def carry_over(
    archive: AnalysisStore, topics: TopicMatcherLoader, model: ModelInfo, progress: Progress
) -> tuple[list[bytes], list[Command]]:
    """Return the window of earlier models as records of `model`, and what stores them.

    A story whose text is not kept any more stays in its event by its headline and words alone.
    """
    found = {}
    async for bucket in archive.windows_of_others(model.fingerprint):
        found.update({member.id: (member, links) for member, links in _readable(bucket)})
        progress.mark()
    if not found:
        return [], []
    log.info("window_embedded_anew", stories=len(found), model=model.fingerprint)
    texts = {}
    for story in found:
        kept = await archive.story(story)
        if kept is not None:
            texts[story] = event_text(passages(kept[0].story, 2))
        progress.mark()
    vectors = await topics.vectors(list(dict.fromkeys(texts.values())), model)
    made: list[bytes] = []
    commands: list[Command] = []
    for story, (member, links) in found.items():
        vector = (vectors or {}).get(texts.get(story, ""))
        placed = vector_space.NOTHING
        if vector is not None:
            placed = vector_space.place(vector, vector_space.NOTHING, model.fingerprint)
        name = vector_space.name(model.fingerprint)
        record = records.pack(replace(member, model=name, vector=placed), placed, links)
        made.append(record)
        commands += archive.window_commands(story, member.time, record, model.fingerprint)
    return made, commands


def _readable(bucket: Sequence[bytes]) -> list[tuple[Member, dict[str, float]]]:
    found = []
    for record in bucket:
        try:
            found.append(records.unpack(record))
        except ValueError:  # of a version that this program does not read
            continue
    return found
