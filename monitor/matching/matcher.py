"""Stories against topics: one calibrated score for each pair, with its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.config.languages import speaks
from monitor.config.schema import Topic
from monitor.errors import ModelError
from monitor.folding import fold
from monitor.matching.answers import AnsweredStory, Answers, Moved, moved_line
from monitor.matching.background import Background
from monitor.matching.gates import check, excludes
from monitor.matching.judge_text import all_of, fingerprint
from monitor.matching.match_score import (
    THRESHOLDS,
    Calibration,
    Standing,
    calibration,
    probability,
)
from monitor.matching.terms import shared_terms
from monitor.matching.topic_profile import (
    NEAREST,
    WHOLE,
    WORDS,
    Array,
    TopicProfile,
    aside_penalty,
    build_profiles,
)
from monitor.model import EmbeddedStory, Match, Matrix, Vector
from monitor.reasons import SuppressionReason

BODY = 0.25  # what a body passage must bring on top of what a headline must
BODIES = 0.3  # and for each doubling of their number: the best of many is high by chance
TITLE_SHARE = 0.05  # the headline's say in a body passage's score

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class TopicMatcher:
    """Topics made ready to be held against stories. Build once, use until topics change."""

    topics: tuple[Topic, ...]
    model: str
    background: Background = field(repr=False)
    vectors: Mapping[str, Vector] = field(repr=False)
    profiles: tuple[TopicProfile, ...] = field(repr=False)
    table: _Table = field(repr=False)
    answers: Mapping[str, Answers] = field(default_factory=dict, repr=False)  # by topic

    @classmethod
    def build(
        cls,
        topics: Sequence[Topic],
        vectors: Mapping[str, Vector],
        background: Background,
        previous: TopicMatcher | None = None,
    ) -> TopicMatcher:
        """Make topics ready.

        Args:
            topics: those to match; disabled ones are left out.
            vectors: a unit vector for each of `texts(topics)`, made by the background's model.
            background: ordinary news of the same model.
            previous: a matcher whose unchanged topics may be taken over (same background only).

        Raises:
            ModelError: a vector is missing or of another length than the background's.
        """
        enabled = tuple(topic for topic in topics if topic.enabled)
        known = {}
        if previous is not None and previous.background is background:
            known = {profile.topic: profile for profile in previous.profiles}
        fresh = [topic for topic in enabled if topic not in known]
        known |= zip(fresh, build_profiles(fresh, vectors, background), strict=True)
        profiles = tuple(known[topic] for topic in enabled)
        d = background.vectors.shape[1]
        table = _Table.of(profiles, d)
        return cls(enabled, background.model, background, vectors, profiles, table)

    def beside(self, recent: Matrix) -> TopicMatcher:
        """Return the same topics, stories being read beside others as well, shape (n, d)."""
        return TopicMatcher.build(self.topics, self.vectors, self.background.beside(recent))

    def with_answers(self, answers: Mapping[str, Sequence[AnsweredStory]]) -> TopicMatcher:
        """Return the same topics with editors' answers, by topic, in place of those before."""
        made = {name: Answers.of(stories, self.background) for name, stories in answers.items()}
        return replace(self, answers={name: one for name, one in made.items() if one is not None})

    def score(self, stories: Sequence[EmbeddedStory]) -> Scores:
        """Score every story against every topic.

        Raises:
            ModelError: a story's vectors were made by another model than the topics'.
        """
        for story in stories:
            if story.model != self.model:
                raise ModelError(
                    f"story {story.story.id} was embedded by {story.model}, topics by {self.model};"
                    " both must be embedded anew by one model"
                )
        t = len(self.topics)
        score = np.zeros((len(stories), t), dtype=np.float32)
        best = np.zeros((len(stories), t), dtype=np.int32)
        without = np.zeros((len(stories), t), dtype=np.float32)
        said = np.full((len(stories), t), "encoder", dtype=object)
        if not t or not stories:
            return Scores(self, tuple(stories), score, best, without, said)
        for at, (story, standing) in enumerate(zip(stories, self._standings(stories), strict=True)):
            alone = self._weights.log_odds(standing)
            best[at], score[at] = alone.argmax(axis=0), alone.max(axis=0)
            without[at] = self._weights.log_odds(standing.without_contrast()).max(axis=0)
            if story.judged is not None:
                self._hear(story, standing, best[at], score[at], without[at], said[at])
        return Scores(self, tuple(stories), probability(score), best, probability(without), said)

    def closeness(self, stories: Sequence[EmbeddedStory]) -> list[Array]:
        """Return how close each passage of each story is to each topic, (passages, topics).

        In standard deviations of ordinary news: what the encoder alone says of the whole topic.
        """
        return [standing.whole for standing in self._standings(stories)]

    def _standings(self, stories: Sequence[EmbeddedStory]) -> Iterator[Standing]:
        """Yield how each story's passages stand to all topics."""
        stacked = np.vstack([story.vectors for story in stories])
        every = self._margins(self.background.in_context(stacked))
        start = 0
        for story in stories:
            end = start + len(story.passages)
            yield every.part(start, end).of_bodies(*_body_terms(story))
            start = end

    def _hear(
        self,
        story: EmbeddedStory,
        standing: Standing,
        best: Indices,
        score: Array,
        without: Array,
        said: Any,
    ) -> None:
        """Let the judge's answers decide, in place; topics it does not know stay as they are."""
        judged = story.judged
        assert judged is not None
        if judged.topics == self._all_topics:
            # The encoder kept the others from the judge: far from any line.
            score[:] = np.minimum(score, self._weights.kept_out)
            without[:] = np.minimum(without, self._weights.kept_out)
            said[:] = "screened"
        for name, (logit, passage) in judged.answers.items():
            body = story.passages[passage].kind == "body"
            read = standing.part(passage if body else 0, passage + 1)
            for at in self._places.get(name, ()):
                more = self._weights.examples if self.topics[at].examples else 0.0
                plain = self._weights.log_odds(read.without_contrast(), logit)
                best[at], said[at] = passage, "judge"
                score[at] = self._weights.log_odds(read, logit)[:, at].max() + more
                without[at] = plain[:, at].max() + more
        for name, (belongs, _) in judged.second.items():
            for at in self._places.get(name, ()):
                said[at] = "agreed" if belongs else "language_model"
                if not belongs:  # it holds back; nothing that it says raises a score
                    score[at] = min(score[at], self._weights.kept_out)
                    without[at] = min(without[at], self._weights.kept_out)

    @cached_property
    def _weights(self) -> Calibration:
        return calibration(self.model)

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Return where topics stand, by the name their answers go under."""
        found: dict[str, list[int]] = {}
        for at, topic in enumerate(self.topics):
            found.setdefault(fingerprint(topic), []).append(at)
        return found

    @cached_property
    def _all_topics(self) -> str:
        return all_of(self.topics)

    def score_batch(self, stories: Sequence[EmbeddedStory]) -> list[list[Match]]:
        """Return every topic's match for every story, in the order of stories and of topics."""
        scores = self.score(stories)
        return [scores.matches(index) for index in range(len(stories))]

    def ordinary_news(self) -> Array:
        """Return the encoder's scores of the background itself for each topic, shape (n, t)."""
        return probability(self._weights.log_odds(self._margins(self.background.measure)))

    def _margins(self, vectors: Matrix) -> Standing:
        """Return how each vector, in context, stands to each topic."""
        whole, margin = self.table.margins(vectors)
        contrast = np.zeros_like(margin)
        for at, profile in enumerate(self.profiles):
            if profile.contrast is not None:
                before = margin[:, at]
                contrast[:, at] = profile.contrast.apply(before, vectors) - before
        return Standing(whole, margin, contrast)


@dataclass(frozen=True)
class _Table:
    """All topics' numbers side by side, so that one matrix product serves them all."""

    wholes: Matrix  # shape (t, d)
    phrases: Matrix
    phrase_starts: Indices
    words: Matrix
    word_starts: Indices
    word_mean: Array
    word_deviation: Array
    mean: Array  # shape (t, 3)
    deviation: Array  # shape (t, 3)
    offset: Array
    asides: tuple[tuple[int, Matrix], ...]

    @classmethod
    def of(cls, profiles: Sequence[TopicProfile], d: int) -> _Table:
        if not profiles:
            none = np.zeros((0, d), dtype=np.float32)
            flat, index = np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.intp)
            pairs = np.zeros((0, 3), dtype=np.float32)
            return cls(none, none, index, none, index, flat, flat, pairs, pairs, flat, ())
        return cls(
            wholes=np.stack([profile.whole for profile in profiles]),
            phrases=np.vstack([profile.phrase_vectors for profile in profiles]),
            phrase_starts=_starts([len(profile.phrase_vectors) for profile in profiles]),
            words=np.vstack([profile.words for profile in profiles]),
            word_starts=_starts([len(profile.words) for profile in profiles]),
            word_mean=np.concatenate([profile.word_mean for profile in profiles]),
            word_deviation=np.concatenate([profile.word_deviation for profile in profiles]),
            mean=np.stack([profile.mean for profile in profiles]),
            deviation=np.stack([profile.deviation for profile in profiles]),
            offset=np.array([profile.offset for profile in profiles], dtype=np.float32),
            asides=tuple((at, one.asides) for at, one in enumerate(profiles) if len(one.asides)),
        )

    def margins(self, vectors: Matrix) -> tuple[Array, Array]:
        """Return closeness to the whole topic, and margins as in topic_profile.py, (n, t)."""
        whole = (vectors @ self.wholes.T - self.mean[:, 0]) / self.deviation[:, 0]
        nearest = np.maximum.reduceat(vectors @ self.phrases.T, self.phrase_starts, axis=1)
        words = (vectors @ self.words.T - self.word_mean) / self.word_deviation
        sizes = np.diff(np.append(self.word_starts, words.shape[1]))
        each = np.add.reduceat(np.exp(-np.maximum(words, -30.0)), self.word_starts, axis=1) / sizes
        total = WHOLE * whole
        total += NEAREST * (nearest - self.mean[:, 1]) / self.deviation[:, 1]
        total += WORDS * (-np.log(each) - self.mean[:, 2]) / self.deviation[:, 2]
        for at, asides in self.asides:
            total[:, at] -= aside_penalty(vectors, asides)
        return whole.astype(np.float32), np.asarray(total - self.offset, dtype=np.float32)


@dataclass(frozen=True)
class Scores:
    """The scores of some stories against all topics, as arrays; matches are made when asked for."""

    matcher: TopicMatcher
    stories: tuple[EmbeddedStory, ...]
    score: Array  # shape (stories, topics), 0 to 1, before gates
    _best: npt.NDArray[np.int32]  # the passage that decided, shape (stories, topics)
    _without: Array  # what the scores would be without the topics' counter-examples
    _said: npt.NDArray[np.object_]  # who decided, as in `Match.judged`

    def matches(self, story: int) -> list[Match]:
        """Return one story's match with every topic, fired or not, in the order of topics."""
        return [self.match(story, topic) for topic in range(len(self.matcher.topics))]

    def fired(self, story: int) -> list[Match]:
        """Return one story's matches that fired, best first."""
        near = np.flatnonzero(np.round(self.score[story], 4) >= self.lines(story))
        found = [match for topic in near if (match := self.match(story, int(topic))).fired]
        return sorted(found, key=lambda match: -match.score)

    def lines(self, story: int) -> Array:
        """Return every topic's threshold for one story, as editors' answers moved it."""
        lines = np.array([THRESHOLDS[topic.sensitivity] for topic in self.matcher.topics])
        for at, topic in enumerate(self.matcher.topics):
            if moved := self._moved(story, topic.id):
                lines[at] = moved_line(lines[at], moved.by)
        return lines

    def _moved(self, story: int, topic: str) -> Moved | None:
        answers, embedded = self.matcher.answers.get(topic), self.stories[story]
        if answers is None:
            return None
        heads = [at for at, one in enumerate(embedded.passages) if one.kind != "body"]
        return answers.moved(embedded.vectors[heads])

    def evidence(self, story: int, topic: int) -> str:
        """Return the passage that decided between one story and one topic."""
        return self.stories[story].passages[int(self._best[story, topic])].text

    def match(self, story: int, topic: int) -> Match:
        """Return the match of one story and one topic, by their positions."""
        embedded, profile = self.stories[story], self.matcher.profiles[topic]
        score = round(float(self.score[story, topic]), 4)
        usual = THRESHOLDS[profile.topic.sensitivity]
        moved = self._moved(story, profile.topic.id)
        line = moved_line(usual, moved.by) if moved else usual
        passage = int(self._best[story, topic])
        vector = embedded.vectors[passage]
        nearest = int((profile.phrase_vectors @ vector).argmax())
        evidence = embedded.passages[passage].text
        without = round(float(self._without[story, topic]), 4)
        reason = _refusal(profile.topic, embedded, score, without, line)
        judged = embedded.judged
        _, second = judged.second.get(fingerprint(profile.topic), (True, "")) if judged else (0, "")
        if reason is SuppressionReason.BELOW_THRESHOLD:
            if self._said[story, topic] == "language_model":
                reason = SuppressionReason.SECOND_JUDGE
            elif score >= usual:
                reason = SuppressionReason.ANSWERED
        return Match(
            topic=profile.topic.id,
            score=score,
            line=line,
            fired=reason is None,
            raw=round(float(profile.whole @ vector), 4),
            evidence=evidence,
            passage=passage,
            nearest=profile.phrases[nearest].text,
            terms=shared_terms((one.text for one in profile.phrases), evidence),
            reason=reason,
            moved=_moved_words(moved, usual) if moved else "",
            second=second,
            judged=self._said[story, topic],
        )


def _body_terms(story: EmbeddedStory) -> tuple[Array, Array]:
    """Return, for each passage, what is taken off and the headline's share in its margin."""
    body = np.array([passage.kind == "body" for passage in story.passages])
    count = int(body.sum())
    allowance = np.where(body, BODY + BODIES * np.log2(max(1, count)), 0.0)
    return allowance.astype(np.float32), np.where(body, TITLE_SHARE, 0.0).astype(np.float32)


def _refusal(
    topic: Topic, embedded: EmbeddedStory, score: float, without: float, line: float
) -> SuppressionReason | None:
    """Return why a story does not fire a topic, or None. Scope and score come before gates."""
    story = embedded.story
    if topic.feeds or topic.tags:
        watched = story.feed_id in topic.feeds or not set(story.tags).isdisjoint(topic.tags)
        if not watched:
            return SuppressionReason.OUT_OF_SCOPE
    if topic.languages and story.language and not speaks(story.language, topic.languages):
        return SuppressionReason.LANGUAGE
    if score < line:
        if without >= line:
            return SuppressionReason.COUNTER_EXAMPLE
        return SuppressionReason.BELOW_THRESHOLD
    if not (topic.require.any or topic.require.all or topic.exclude.any or topic.exclude.all):
        return None
    folded = fold(f"{story.title}\n{story.summary}\n{story.body}")
    if not check(topic.require, folded).passed:
        return SuppressionReason.NOT_REQUIRED
    if excludes(topic.exclude, folded).passed:
        return SuppressionReason.EXCLUDED
    return None


def _moved_words(moved: Moved, usual: float) -> str:
    said = "relevant" if moved.because.good else "not relevant"
    way = "lowered" if moved.by < 0 else "raised"
    return (
        f"threshold {way} from {usual:.2f}: {moved.because.by} answered {said} on an alike story, "
        f"“{moved.because.title}”"
    )


def _starts(sizes: Sequence[int]) -> Indices:
    return np.cumsum([0, *sizes[:-1]]).astype(np.intp)
