"""The judge's part in matching: what it is asked, what its answers do, and what happens without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from monitor.analysis.offline import build_matcher, topic_judge
from monitor.codec import pack_embedded, unpack_embedded
from monitor.config.schema import Topic
from monitor.embedding import embed_stories
from monitor.embedding.multilingual import MultilingualEmbedder
from monitor.errors import ModelError
from monitor.matching import TopicJudge, TopicMatcher
from monitor.model import EmbeddedStory, Match, Matrix, Story

pytestmark = pytest.mark.slow

ENERGY = Topic(
    id="energy",
    name="Energy infrastructure strikes",
    description="Missile, drone or sabotage attacks on power plants, grids and refineries.",
)
TALKS = Topic(
    id="talks",
    name="Ukraine peace talks",
    description="Negotiations on ending the war: summits, envoys, ceasefire proposals.",
)
MIXED = Story(
    id="mixed",
    title="Envoys of both sides meet in Geneva for talks on ending the war",
    summary="A ceasefire proposal is on the table.",
    body="\n\n".join(
        [
            "The delegations arrived in the morning and spoke for three hours. Both called the "
            "meeting useful, and neither would say what had been agreed on prisoners. " * 2,
            "Hours before, drones hit two power plants and a refinery. Half a million homes were "
            "without electricity by the evening, and engineers said repairs would take weeks.",
            "The next round is planned for the end of the month, diplomats said. " * 4,
        ]
    ),
)
ART = Story(id="art", title="Energy drinks and power tools: the artists who strike a chord")


@pytest.fixture(scope="module")
def encoder(multilingual: MultilingualEmbedder) -> MultilingualEmbedder:
    """The encoder with its judge."""
    return multilingual


@pytest.fixture(scope="module")
def matcher(encoder: MultilingualEmbedder) -> TopicMatcher:
    """The two topics."""
    return build_matcher([ENERGY, TALKS], encoder)


@pytest.fixture(scope="module")
def judge(encoder: MultilingualEmbedder) -> TopicJudge:
    """The real judge."""
    found = topic_judge(encoder)
    assert found is not None
    return found


class Counting:
    """A judge that says yes to all and counts what it was asked."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fails = fails

    def __call__(self, topics: Sequence[str], stories: Sequence[str]) -> Matrix:
        """Answer, or fail."""
        if self.fails:
            raise ModelError("out of memory")
        self.asked += zip(topics, stories, strict=True)
        return np.full(len(stories), 5.0, np.float32)


def still() -> float:
    """A clock that stands."""
    return 0.0


def by_topic(matcher: TopicMatcher, item: EmbeddedStory) -> dict[str, Match]:
    """Return a story's matches."""
    return {match.topic: match for match in matcher.score_batch([item])[0]}


def test_a_paragraph_on_another_subject_fires_its_topic(
    encoder: MultilingualEmbedder, matcher: TopicMatcher, judge: TopicJudge
) -> None:
    """A headline on talks with one paragraph on strikes is told for both, each by its passage."""
    [item] = judge.over(matcher, embed_stories(encoder, [MIXED], 24))
    found = by_topic(matcher, item)
    assert found["talks"].fired and found["energy"].fired
    assert "power plants" in found["energy"].evidence
    assert {match.judged for match in found.values()} == {"judge"}


def test_shared_words_are_not_a_match(
    encoder: MultilingualEmbedder, matcher: TopicMatcher, judge: TopicJudge
) -> None:
    """A story that only shares words with a topic is not told."""
    [item] = judge.over(matcher, embed_stories(encoder, [ART], 24))
    assert not any(match.fired for match in by_topic(matcher, item).values())


def test_other_languages_fire_the_english_topic(
    encoder: MultilingualEmbedder, matcher: TopicMatcher, judge: TopicJudge
) -> None:
    """A Russian and a Ukrainian report of one strike are told for it."""
    titles = [
        "Удар дронов по электростанции: без света остались 200 тысяч домов",
        "Удар дронів по електростанції: без світла залишилися 200 тисяч будинків",
    ]
    stories = [Story(id=str(at), title=title) for at, title in enumerate(titles)]
    for item in judge.over(matcher, embed_stories(encoder, stories, 24)):
        assert by_topic(matcher, item)["energy"].fired


def test_answers_travel_with_the_story(
    encoder: MultilingualEmbedder, matcher: TopicMatcher, judge: TopicJudge
) -> None:
    """Triage, which has no model, comes to the same scores from what was sent."""
    [item] = judge.over(matcher, embed_stories(encoder, [MIXED], 24))
    packed = {key.encode(): value for key, value in pack_embedded(item).items()}
    sent = by_topic(matcher, unpack_embedded(packed))
    for topic, match in by_topic(matcher, item).items():
        assert sent[topic].score == pytest.approx(match.score, abs=0.01)
        assert sent[topic].judged == match.judged


def test_a_judge_that_fails_leaves_the_encoders_score(
    encoder: MultilingualEmbedder, matcher: TopicMatcher
) -> None:
    """Nothing is lost, and the match says who decided."""
    stories = embed_stories(encoder, [MIXED], 24)
    [item] = TopicJudge(Counting(fails=True), "x", still).over(matcher, stories)
    assert item.judged is None
    assert {match.judged for match in by_topic(matcher, item).values()} == {"encoder"}


def test_an_edited_topic_goes_by_the_encoder_until_it_is_judged_anew(
    encoder: MultilingualEmbedder, matcher: TopicMatcher, judge: TopicJudge
) -> None:
    """An answer belongs to the words that were judged."""
    [item] = judge.over(matcher, embed_stories(encoder, [MIXED], 24))
    edited = ENERGY.model_copy(update={"description": "Attacks on the energy supply."})
    changed = build_matcher([edited, TALKS], encoder)
    assert by_topic(changed, item)["energy"].judged == "encoder"
    assert by_topic(changed, item)["talks"].judged == "judge"
    [again] = judge.over(changed, embed_stories(encoder, [MIXED], 24))
    assert by_topic(changed, again)["energy"].judged == "judge"


def test_a_copy_is_not_read_again(encoder: MultilingualEmbedder, matcher: TopicMatcher) -> None:
    """The same words for the same topic are asked about once."""
    counting = Counting()
    judge = TopicJudge(counting, "x", still)
    judge.over(matcher, embed_stories(encoder, [MIXED], 24))
    asked = len(counting.asked)
    copy = Story(id="copy", title=MIXED.title, summary=MIXED.summary, body=MIXED.body)
    [item] = judge.over(matcher, embed_stories(encoder, [copy], 24))
    assert asked > 0 and len(counting.asked) == asked
    assert item.judged is not None and item.judged.answers


def test_what_is_not_read_in_time_goes_by_the_encoder(
    encoder: MultilingualEmbedder, matcher: TopicMatcher
) -> None:
    """A slow judge holds no story back."""
    ticks: Iterator[int] = iter(range(1000))
    judge = TopicJudge(Counting(), "x", lambda: float(next(ticks)), deadline=0.5)
    [item] = judge.over(matcher, embed_stories(encoder, [MIXED], 24))
    assert {match.judged for match in by_topic(matcher, item).values()} == {"encoder"}


def test_far_topics_are_not_asked_about(
    encoder: MultilingualEmbedder, matcher: TopicMatcher
) -> None:
    """The encoder keeps them from the judge, and the match says so."""
    counting = Counting()
    stories = embed_stories(encoder, [Story(id="s", title="Goalkeeper injured in training")], 24)
    [item] = TopicJudge(counting, "x", still).over(matcher, stories)
    assert counting.asked == []
    assert {match.judged for match in by_topic(matcher, item).values()} == {"screened"}


def test_the_passage_that_is_strongest_by_both_decides(
    encoder: MultilingualEmbedder, matcher: TopicMatcher
) -> None:
    """A body that the judge likes a little better does not push a closer headline aside."""
    body = (
        "Officials in the region said on Monday that repairs at the plants would take weeks. " * 3
    )
    strike = Story(id="s", title="Drone attacks hit power plants and a refinery", body=body)
    stories = embed_stories(encoder, [strike], 24)
    close = matcher.closeness(stories)[0]
    assert close[0, 0] > close[1, 0] + 1

    def prefers_bodies(topics: Sequence[str], texts: Sequence[str]) -> Matrix:
        return np.array([1.5 if text == strike.title else 2.0 for text in texts], np.float32)

    [item] = TopicJudge(prefers_bodies, "x", still).over(matcher, stories)
    assert by_topic(matcher, item)["energy"].passage == 0


def test_a_topic_may_be_asked_about_alone(
    encoder: MultilingualEmbedder, matcher: TopicMatcher
) -> None:
    """What a check asks of one topic is read for that one, with the same answer."""
    news, counting = embed_stories(encoder, [MIXED], 24), Counting()
    both = by_topic(matcher, TopicJudge(counting, "all", still).over(matcher, news)[0])
    asked = len(counting.asked)
    [item] = TopicJudge(counting, "one", still).over(matcher, news, only=[1])
    alone = by_topic(matcher, item)
    assert {topic.partition(".")[0] for topic, _ in counting.asked[asked:]} == {TALKS.name}
    assert alone["talks"].judged == both["talks"].judged == "judge"
    assert alone["talks"].score == both["talks"].score


def test_a_higher_screen_reads_less(encoder: MultilingualEmbedder, matcher: TopicMatcher) -> None:
    """A story below the screen is not read and does not fire."""
    news, counting = embed_stories(encoder, [MIXED], 0), Counting()
    [item] = TopicJudge(counting, "none", still).over(matcher, news, screen=99.0)
    assert counting.asked == []
    assert not any(match.fired for match in by_topic(matcher, item).values())
