"""Topics judged before they go live: too vague, unable to fire, at odds with their own examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitor.config.schema import Topic
from monitor.matching.match_score import THRESHOLDS
from monitor.matching.matcher import TopicMatcher
from monitor.matching.topic_judge import TopicJudge
from monitor.matching.topic_profile import Array
from monitor.model import EmbeddedStory, Passage, Story, Vector

VAGUE = 0.045  # share of ordinary news from which a topic is called vague
SAME_MEANING = 0.93  # cosine between two topics' phrases
SAME_STORIES = 0.7  # Jaccard overlap of what two topics fire on, where both fire often enough
OFTEN = 15


class DoubtKind(StrEnum):
    """What may be wrong with a topic's meaning."""

    VAGUE = "vague"
    INERT = "inert"
    NEAR_DUPLICATE = "near_duplicate"
    EXAMPLE_MISSED = "example_missed"
    COUNTER_EXAMPLE_CAUGHT = "counter_example_caught"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing to look at in a topic. `loc` is the path of keys to it inside the topic."""

    topic: str
    kind: DoubtKind
    loc: tuple[str | int, ...]
    message: str


def review(
    topics: Sequence[Topic],
    matcher: TopicMatcher,
    vectors: Mapping[str, Vector],
    judge: TopicJudge | None = None,
    taken: Array | None = None,
) -> list[Doubt]:
    """Return what is doubtful about topics, in their order.

    Args:
        topics: those to judge, as given to `TopicMatcher.build`; disabled ones are passed over.
        matcher: built from them.
        vectors: the vectors it was built with.
        judge: asked about a topic's own words, if there is one.
        taken: which sentences of ordinary news each topic takes once the judge has read them,
            shape (n, topics); by default only the encoder's word is known.
    """
    ordinary = matcher.ordinary_news()
    doubts: list[Doubt] = []
    for at, topic in enumerate(matcher.topics):
        doubts += _vague(topic, ordinary[:, at], taken[:, at] if taken is not None else None)
        doubts += _own_words(topic, at, matcher, vectors, judge)
        doubts += _twins(at, matcher, ordinary)
    order = {topic.id: at for at, topic in enumerate(topics)}
    return sorted(doubts, key=lambda doubt: order[doubt.topic])


def _vague(topic: Topic, ordinary: Array, taken: Array | None) -> Iterator[Doubt]:
    share = float((ordinary >= THRESHOLDS[topic.sensitivity]).mean())
    if taken is not None:
        share = max(share, float(taken.mean()))
    if share > VAGUE:
        advice = "examples" if not topic.examples else "counter-examples (not:) or a require gate"
        stricter = "" if topic.sensitivity == "strict" else ", or sensitivity: strict"
        yield Doubt(
            topic.id,
            DoubtKind.VAGUE,
            ("name",),
            f"{topic.name!r} is vague: it cannot be told apart from {share:.0%} of ordinary news; "
            f"add {advice}{stricter}",
        )


def _own_words(
    topic: Topic,
    at: int,
    matcher: TopicMatcher,
    vectors: Mapping[str, Vector],
    judge: TopicJudge | None,
) -> Iterator[Doubt]:
    """Hold a topic against its own name, examples and counter-examples, as if they were news."""
    examples = [" ".join(text.split()) for text in topic.examples if text.strip()]
    counters = [" ".join(text.split()) for text in topic.not_ if text.strip()]
    name = " ".join(topic.name.split())
    stories = _as_news([name, *examples, *counters], matcher, vectors)
    scores = matcher.score(judge.over(matcher, stories, only=[at]) if judge else stories)
    line = THRESHOLDS[topic.sensitivity]
    reached = scores.score[: 1 + len(examples), at] >= line
    if not reached.any():
        yield Doubt(
            topic.id,
            DoubtKind.INERT,
            ("name",),
            f"{topic.name!r} cannot fire: not even its own name and examples reach its threshold; "
            "give it another name, other examples, or fewer counter-examples",
        )
        return
    for number, text in enumerate(examples):
        if not reached[1 + number]:
            yield Doubt(
                topic.id,
                DoubtKind.EXAMPLE_MISSED,
                ("examples", number),
                f"the topic would miss its own example {text!r} (score "
                f"{scores.score[1 + number, at]:.2f}, threshold {line:.2f}); it may lie too near "
                "to a counter-example, or to what the description rules out",
            )
    for number in range(len(counters)):
        match = scores.match(1 + len(examples) + number, at)
        if match.fired:
            yield Doubt(
                topic.id,
                DoubtKind.COUNTER_EXAMPLE_CAUGHT,
                ("not", number),
                f"the topic would fire on its own counter-example {counters[number]!r} (score "
                f"{match.score:.2f}, threshold {line:.2f}); say in the description what does not "
                "belong, or use an exclude gate",
            )


def _twins(at: int, matcher: TopicMatcher, ordinary: Array) -> Iterator[Doubt]:
    """Compare a topic with those before it."""
    mine = ordinary[:, at] >= 0.5
    for other in range(at):
        meaning = float(matcher.profiles[at].whole @ matcher.profiles[other].whole)
        theirs = ordinary[:, other] >= 0.5
        both, either = int((mine & theirs).sum()), int((mine | theirs).sum())
        often = min(int(mine.sum()), int(theirs.sum())) >= OFTEN
        overlap = both / either if either else 0.0
        if meaning >= SAME_MEANING or (often and overlap >= SAME_STORIES):
            topic, twin = matcher.topics[at], matcher.topics[other]
            yield Doubt(
                topic.id,
                DoubtKind.NEAR_DUPLICATE,
                ("name",),
                f"{topic.name!r} is nearly the same as {twin.id!r}: {overlap:.0%} of the stories "
                "that fire either fire both; merge them, or tell them apart by description",
            )


def _as_news(
    texts: Sequence[str], matcher: TopicMatcher, vectors: Mapping[str, Vector]
) -> list[EmbeddedStory]:
    return [
        EmbeddedStory(
            Story(id=f"own-{at}", title=text),
            (Passage(0, "title", text, text),),
            np.asarray(vectors[text], dtype=np.float32)[None],
            matcher.model,
        )
        for at, text in enumerate(texts)
    ]
