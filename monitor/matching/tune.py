"""Tuning: what editors' answers say of a topic, as a change to its YAML. Nothing is applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from monitor.config.schema import Topic
from monitor.matching.background import Background
from monitor.matching.match_score import THRESHOLDS
from monitor.matching.matcher import TopicMatcher
from monitor.matching.phrases import texts
from monitor.matching.topic_judge import TopicJudge
from monitor.matching.topic_profile import Array
from monitor.model import EmbeddedStory, Matrix, Passage, Story, Vector

FOLDS = 5
MOST = 25  # answers taken over, of each kind

Encode = Callable[[Sequence[str]], Matrix]


@dataclass(frozen=True, slots=True)
class Answer:
    """An editor's word on a headline: it belongs to the topic, or it does not."""

    title: str
    good: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """How a topic does on the answers, and the share of ordinary news it fires on."""

    precision: float
    recall: float
    f1: float
    ordinary: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change to a topic. `changes` holds new values of its YAML keys; empty: nothing pays."""

    before: Effect
    after: Effect
    mended: int
    spoilt: int
    changes: dict[str, Any] = field(default_factory=dict)

    def yaml(self) -> str:
        """Return the changed keys as YAML, to be put into the topic."""
        return yaml.safe_dump(
            self.changes, allow_unicode=True, sort_keys=False, width=96, default_flow_style=False
        )

    def as_data(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        names = Effect.__slots__
        return {
            "changes": self.changes,
            "before": {name: round(getattr(self.before, name), 4) for name in names},
            "after": {name: round(getattr(self.after, name), 4) for name in names},
            "mended": self.mended,
            "spoilt": self.spoilt,
        }


def propose(
    topic: Topic,
    answers: Sequence[Answer],
    encode: Encode,
    background: Background,
    judge: TopicJudge | None = None,
) -> Proposal:
    """Propose examples, counter-examples and a sensitivity from answers.

    Tried are: another sensitivity alone, and the answers taken over as examples and
    counter-examples with each sensitivity. What is proposed is judged on answers it has not seen
    (five parts, each left out in turn), and only a better F1 is proposed. The judge reads them as
    it reads stories, if there is one; of ordinary news only the encoder's word is known.

    Raises:
        ModelError: the vectors do not fit the background.
    """
    answers = _latest(answers)
    truth = np.array([answer.good for answer in answers])
    vectors: dict[str, Vector] = {}

    def know(wanted: Sequence[str]) -> None:
        missing = [text for text in dict.fromkeys(wanted) if text not in vectors]
        if missing:
            vectors.update(zip(missing, encode(missing), strict=True))

    know([*texts([topic]), *(answer.title for answer in answers)])
    tuned = _with(topic, answers)
    know(texts([tuned]))

    def scores(of: Topic, on: Sequence[Answer]) -> Array:
        matcher = TopicMatcher.build([of], vectors, background)
        news = [_news(one, vectors, matcher.model) for one in on]
        return matcher.score(judge.over(matcher, news) if judge else news).score[:, 0]

    def ordinary(of: Topic) -> Array:
        matcher = TopicMatcher.build([of], vectors, background)
        return matcher.ordinary_news()[:, 0]

    plain, left_out = scores(topic, answers), np.zeros(len(answers), dtype=np.float32)
    parts = _parts(truth)
    for part in range(FOLDS):
        test = np.flatnonzero(parts == part)
        if len(test):
            rest = [answers[at] for at in np.flatnonzero(parts != part)]
            left_out[test] = scores(_with(topic, rest), [answers[at] for at in test])
    usual, changed = ordinary(topic), ordinary(tuned)
    before = _effect(
        plain >= THRESHOLDS[topic.sensitivity], truth, usual >= THRESHOLDS[topic.sensitivity]
    )
    best: tuple[float, Effect, dict[str, Any], Any] | None = None
    for sensitivity, line in THRESHOLDS.items():
        move = {"sensitivity": sensitivity} if sensitivity != topic.sensitivity else {}
        for found, news, words in ((plain, usual, {}), (left_out, changed, _words(tuned, topic))):
            effect = _effect(found >= line, truth, news >= line)
            # A change must earn its keep: ties go to the smaller one.
            merit = effect.f1 - 0.005 * bool(words) - 0.005 * bool(move)
            if best is None or merit > best[0]:
                best = (merit, effect, {**words, **move}, found >= line)
    assert best is not None
    _, after, changes, fired = best
    was = plain >= THRESHOLDS[topic.sensitivity]
    mended = int(((fired == truth) & (was != truth)).sum())
    spoilt = int(((fired != truth) & (was == truth)).sum())
    return Proposal(before, after, mended, spoilt, changes)


def _latest(answers: Sequence[Answer]) -> list[Answer]:
    found: dict[str, Answer] = {}
    for answer in answers:
        title = " ".join(answer.title.split())
        found.pop(title, None)
        found[title] = Answer(title, answer.good)
    return list(found.values())


def _with(topic: Topic, answers: Sequence[Answer]) -> Topic:
    """Return the topic with answers, the newest first, among its examples."""
    good = [answer.title for answer in answers if answer.good][-MOST:]
    bad = [answer.title for answer in answers if not answer.good][-MOST:]
    return topic.model_copy(
        update={
            "examples": tuple(dict.fromkeys([*topic.examples, *good])),
            "not_": tuple(dict.fromkeys([*topic.not_, *bad])),
        }
    )


def _words(tuned: Topic, topic: Topic) -> dict[str, Any]:
    words: dict[str, Any] = {}
    if tuned.examples != topic.examples:
        words["examples"] = list(tuned.examples)
    if tuned.not_ != topic.not_:
        words["not"] = list(tuned.not_)
    return words


def _parts(truth: Any) -> Any:
    """Deal good and bad answers evenly into parts."""
    parts = np.zeros(len(truth), dtype=int)
    for kind in (True, False):
        at = np.flatnonzero(truth == kind)
        parts[at] = np.arange(len(at)) % FOLDS
    return parts


def _effect(fired: Any, truth: Any, ordinary: Any) -> Effect:
    hits = float((fired & truth).sum())
    precision = hits / fired.sum() if fired.any() else 1.0
    recall = hits / truth.sum() if truth.any() else 1.0
    either = float(fired.sum() + truth.sum())
    return Effect(
        float(precision),
        float(recall),
        2 * hits / either if either else 1.0,
        float(ordinary.mean()),
    )


def _news(answer: Answer, vectors: dict[str, Vector], model: str) -> EmbeddedStory:
    passage = Passage(0, "title", answer.title, answer.title)
    vector = np.asarray(vectors[answer.title], dtype=np.float32)
    return EmbeddedStory(
        Story(id=answer.title, title=answer.title), (passage,), vector[None], model
    )
