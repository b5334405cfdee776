"""Editors' answers move a topic's threshold for alike stories: at once, bounded, and undoably."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.schema import Topic
from monitor.matching import Background, TopicMatcher
from monitor.matching.answers import AnsweredStory, Answers, moved_line
from monitor.matching.match_score import THRESHOLDS
from monitor.model import EmbeddedStory
from monitor.reasons import SuppressionReason

pytestmark = pytest.mark.slow

ENERGY = Topic(
    id="energy",
    name="Energy infrastructure strikes",
    description="Attacks by drones or missiles on power plants, grids and refineries.",
)
PAY = "Strike over pay shuts a power plant in the north"
PAY_AGAIN = "Pay strike shuts another power plant in the north"
ATTACK = "Missiles hit a power plant near the border, 200,000 homes dark"


def answered(item: EmbeddedStory, good: bool) -> AnsweredStory:
    """An answer of Anna's on a story."""
    return AnsweredStory(item.story.id, item.story.title, good, "anna", 0.0, item.vectors[0])


def background_of(seed: int) -> Background:
    """Ordinary news of random vectors."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(2_000, 16)).astype(np.float32)
    return Background.from_vectors(rows / np.linalg.norm(rows, axis=1, keepdims=True), "m/1/t1")


@given(st.integers(0, 50), st.lists(st.booleans(), min_size=1, max_size=30))
def test_however_many_answers_a_line_moves_within_bounds(seed: int, said: list[bool]) -> None:
    """No pile of answers opens a topic, none closes it; a story unlike them all meets no change."""
    news = background_of(seed)
    stories = [AnsweredStory(str(n), "t", good, "a", 0.0, news.vectors[n % 7])
               for n, good in enumerate(said)]  # fmt: skip
    answers = Answers.of(stories, news)
    assert answers is not None
    for at in range(7):
        moved = answers.moved(news.vectors[at : at + 1])
        for line in THRESHOLDS.values():
            now = moved_line(line, moved.by) if moved else line
            assert 0.1 < now < 0.995
            if set(said) == {True}:
                assert now <= line
            if set(said) == {False}:
                assert now >= line
    touched = sum(answers.moved(row[None]) is not None for row in news.vectors)
    assert touched <= 0.02 * len(news.vectors)


def test_answers_of_another_model_are_passed_over() -> None:
    """A vector of another width belongs to another model: it says nothing here."""
    story = AnsweredStory("s", "t", True, "a", 0.0, np.ones(5, np.float32))
    assert Answers.of([story], background_of(1)) is None


def test_an_answer_counts_for_alike_stories_and_no_others(
    matcher_of: Callable[..., TopicMatcher], embedded: Callable[..., EmbeddedStory]
) -> None:
    """ "Not relevant" on a pay strike holds the next one back and says why; an attack still fires.
    Without the answer everything is as before."""
    matcher = matcher_of(ENERGY)
    pay, again, attack = embedded(PAY), embedded(PAY_AGAIN), embedded(ATTACK)
    before = [row[0] for row in matcher.score_batch([again, attack])]
    heard = matcher.with_answers({"energy": [answered(pay, good=False)]})
    held, fires = (row[0] for row in heard.score_batch([again, attack]))
    print(before, held, fires)
    assert held.line > THRESHOLDS["balanced"] + 0.2 and "anna answered not relevant" in held.moved
    assert PAY in held.moved
    if before[0].fired:
        assert held.reason is SuppressionReason.ANSWERED
    assert fires.fired and not fires.moved
    assert [row[0] for row in heard.with_answers({}).score_batch([again, attack])] == before


def test_relevant_lowers_the_line_a_little(
    matcher_of: Callable[..., TopicMatcher], embedded: Callable[..., EmbeddedStory]
) -> None:
    """ "Relevant" lowers the threshold for the like, and an answer against it takes that back."""
    matcher = matcher_of(ENERGY)
    pay, again = embedded(PAY), embedded(PAY_AGAIN)
    yes, no = answered(pay, good=True), answered(pay, good=False)
    lowered = matcher.with_answers({"energy": [yes]}).score_batch([again])[0][0]
    both = matcher.with_answers({"energy": [yes, no]}).score_batch([again])[0][0]
    print(lowered, both)
    assert 0.2 < lowered.line < THRESHOLDS["balanced"] < both.line
    scores = matcher.with_answers({"energy": [yes]}).score([again])
    assert bool(scores.fired(0)) == lowered.fired, "one decision for both ways of asking"
    assert lowered.score == pytest.approx(both.score)
