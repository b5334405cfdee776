"""Matching: what fires, what does not, and why; with the real model."""

from __future__ import annotations

import csv
import gzip
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from monitor.config.schema import Topic
from monitor.embedding.hashing import HashingEmbedder
from monitor.embedding.passages import passages
from monitor.embedding.transformer import TransformerEmbedder
from monitor.errors import ModelError
from monitor.matching import THRESHOLDS, Background, TopicMatcher, texts
from monitor.matching.background import pack, unpack
from monitor.matching.topic_profile import margins
from monitor.model import EmbeddedStory, Match, Passage, Story
from monitor.reasons import SuppressionReason

pytestmark = pytest.mark.slow

Make = Callable[..., TopicMatcher]
Embed = Callable[..., EmbeddedStory]

STRIKES = Topic(id="strikes", name="energy infrastructure strikes")
TALKS = Topic(id="talks", name="US–Russia Ukraine talks")
RATES = Topic(
    id="rates",
    name="Bank of England interest rates",
    description="What the Bank of England decides or is expected to decide on interest rates.",
    examples=("Bank of England holds rates as inflation proves stubborn",),
)
ON_STRIKES = (
    "Overnight, drones and missiles hit a thermal power plant and three substations around the "
    "city, leaving more than three hundred thousand homes without electricity. The grid operator "
    "ordered emergency cuts across the region while crews worked to repair high-voltage lines."
)
FILLER = (
    "The delegations met for four hours and agreed to meet again, officials said. Neither side "
    "would speak of a date for a summit. The hotel lobby was full of reporters, and traffic around "
    "the square was held up for most of the afternoon while the motorcades came and went."
)


def one(matcher: TopicMatcher, story: EmbeddedStory, topic: str) -> Match:
    """Return one topic's match of one story."""
    return next(match for match in matcher.score_batch([story])[0] if match.topic == topic)


def test_a_name_alone_finds_its_stories(matcher_of: Make, embedded: Embed) -> None:
    """Two topics of a few words tell each other's stories and football apart."""
    matcher = matcher_of(TALKS, STRIKES)
    talks = embedded("Rubio and Lavrov meet in Riyadh on ending the Ukraine war")
    grid = embedded("Missiles hit power plants around Kharkiv, grid operator says")
    football = embedded("Late goal sends the hosts into the semi-final")
    fired = [[m.topic for m in matcher.score([story]).fired(0)] for story in (talks, grid)]
    assert fired == [["talks"], ["strikes"]]
    assert not matcher.score([football]).fired(0)
    assert all(
        m.reason is SuppressionReason.BELOW_THRESHOLD for m in matcher.score_batch([football])[0]
    )


def test_the_paragraph_that_decides_is_the_evidence(matcher_of: Make, embedded: Embed) -> None:
    """One paragraph in a thousand words fires its topic under a headline on something else."""
    body = "\n\n".join([*[FILLER] * 9, ON_STRIKES, *[FILLER] * 9])
    story = embedded("Envoys end a day of talks in Geneva without a date for a summit", body=body)
    match = one(matcher_of(STRIKES, TALKS), story, "strikes")
    assert match.fired
    assert "thermal power plant" in match.evidence
    assert "substations" in match.evidence


def test_a_long_article_gains_nothing_from_its_length(matcher_of: Make, embedded: Embed) -> None:
    """The same paragraph counts for less among many: the best of many is high by chance."""
    matcher = matcher_of(STRIKES)
    short = embedded("Envoys end a day of talks in Geneva", body=ON_STRIKES)
    long = embedded("Envoys end a day of talks in Geneva", body="\n\n".join([ON_STRIKES] * 12))
    assert one(matcher, long, "strikes").score <= one(matcher, short, "strikes").score


@pytest.mark.parametrize("topic", [STRIKES, TALKS, RATES], ids=lambda topic: topic.id)
def test_no_story_beats_its_best_passage(
    topic: Topic, matcher_of: Make, background: Background
) -> None:
    """For any mix of passages, a story scores no more than its best passage would as a headline."""
    matcher = matcher_of(topic)
    rng = np.random.default_rng(7)
    for count in (1, 3, 20):
        rows = background.vectors[rng.integers(0, len(background.vectors), count + 1)]
        parts = tuple(
            Passage(at, "title" if at == 0 else "body", f"p{at}", f"p{at}")
            for at in range(count + 1)
        )
        story = EmbeddedStory(Story(id="s", title="t"), parts, rows, matcher.model)
        alone = [
            EmbeddedStory(
                Story(id="s", title="t"), (Passage(0, "title", "t", "t"),), r, matcher.model
            )
            for r in np.split(rows, count + 1)
        ]
        assert matcher.score([story]).score[0, 0] <= matcher.score(alone).score[:, 0].max() + 1e-6


@pytest.mark.data
def test_unrelated_paragraphs_do_not_add_up(
    matcher_of: Make, model: TransformerEmbedder, data_folder: Path
) -> None:
    """Twenty paragraphs of real articles that are quiet one by one are quiet together."""
    with gzip.open(data_folder / "reuters21578.tsv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    with gzip.open(data_folder / "article_pairs.tsv.gz", "rt", encoding="utf-8") as file:
        pairs = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    bodies = [row["body"] for row in rows[:400] if len(row["body"]) > 600]
    bodies += [
        re.sub(r"\b(PER|ORG|LOC|MISC): ", "", pair["text1"])
        for pair in pairs
        if pair["lang1"] == "en"
    ]
    chance = random.Random(3)
    chance.shuffle(bodies)
    parts = [
        part.text
        for body in bodies[:60]
        for part in passages(Story(id="s", title="-", body=body), 24)[1:]
    ][:100]
    vectors = model.encode(parts)
    matcher = matcher_of(STRIKES, TALKS, RATES)
    heads = [
        EmbeddedStory(Story(id="h", title=t), (Passage(0, "title", t, t),), v[None], matcher.model)
        for t, v in zip(parts, vectors, strict=True)
    ]
    quiet = np.flatnonzero((matcher.score(heads).score < 0.5).all(axis=1))
    rng = np.random.default_rng(1)
    for _ in range(30):
        at = rng.choice(quiet, 21, replace=False)
        kinds = ["title", *["body"] * 20]
        mixed = tuple(Passage(n, kinds[n], parts[i], parts[i]) for n, i in enumerate(at))
        story = EmbeddedStory(Story(id="m", title="m"), mixed, vectors[at], matcher.model)
        assert not matcher.score([story]).fired(0)


def test_sensitivity_moves_the_line_and_nothing_else(matcher_of: Make, embedded: Embed) -> None:
    """strict, balanced and broad give one score against three lines."""
    topics = [STRIKES.model_copy(update={"id": name, "sensitivity": name}) for name in THRESHOLDS]
    matches = matcher_of(*topics).score_batch([embedded("Blackout after attack on the grid")])[0]
    assert len({match.score for match in matches}) == 1
    assert [match.line for match in matches] == [THRESHOLDS[name] for name in THRESHOLDS]
    assert THRESHOLDS["strict"] > THRESHOLDS["balanced"] > THRESHOLDS["broad"]


def test_the_lines_mean_much_the_same_for_every_topic(matcher_of: Make) -> None:
    """At balanced, quite different topics each fire on a small share of ordinary news."""
    topics = [
        STRIKES,
        TALKS,
        RATES,
        Topic(id="a", name="earthquakes"),
        Topic(id="b", name="Premier League transfers"),
        Topic(id="c", name="vaccine trials", description="Results of trials of new vaccines."),
    ]
    shares = (matcher_of(*topics).ordinary_news() >= 0.5).mean(axis=0)
    assert (shares < 0.05).all()
    assert (shares > 0.0).all()


def test_a_counter_example_pushes_its_like_away(matcher_of: Make, embedded: Embed) -> None:
    """What is nearer to a counter-example than to the examples does not fire, and says why."""
    plain = Topic(id="t", name="strikes by airline and airport workers")
    pushed = plain.model_copy(
        update={"id": "p", "not_": ("Air force strikes airport near the capital",)}
    )
    story = embedded("Air force strikes an airport near the capital, flights halted")
    matcher = matcher_of(plain, pushed)
    before, after = one(matcher, story, "t"), one(matcher, story, "p")
    assert after.score < before.score
    walkout = embedded("Baggage handlers walk out at three airports over pay")
    assert one(matcher, walkout, "p").fired
    assert before.fired
    assert after.reason is SuppressionReason.COUNTER_EXAMPLE


def test_what_a_description_rules_out_counts_against(matcher_of: Make, embedded: Embed) -> None:
    """A sentence that says what does not belong lowers the score of what it names."""
    says = "Hurricanes, typhoons and tropical storms."
    plain = Topic(id="a", name="Hurricanes", description=says)
    ruled = Topic(id="b", name="Hurricanes", description=f"{says} Snow storms do not belong.")
    snow = embedded("Snow storm closes roads and schools across the north")
    matcher = matcher_of(plain, ruled)
    assert one(matcher, snow, "b").score < one(matcher, snow, "a").score


def test_answers_teach_a_topic(matcher_of: Make, embedded: Embed) -> None:
    """With examples and counter-examples enough, their weight is fitted and new stories follow."""
    good = ["Dockers walk out", "Port crane drivers down tools", "Stevedores vote to strike"]
    good += ["Harbour workers begin a week of stoppages", "Tug crews refuse overtime over pay"]
    bad = ["Ferry sinks in harbour", "Port sold to investors", "New cranes arrive at the port"]
    bad += ["Cruise ship docks after storm", "Customs seize cocaine at the port"]
    topic = Topic(id="t", name="Port labour disputes", examples=good, not_=bad)  # type: ignore[arg-type]
    matcher = matcher_of(topic)
    contrast = matcher.profiles[0].contrast
    assert contrast is not None and contrast.fitted
    yes = one(matcher, embedded("Dock workers at the container terminal go on strike"), "t")
    no = one(matcher, embedded("Cocaine found in containers at the port"), "t")
    assert yes.fired and not no.fired


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"require": {"any": ["odesa", "dnipro*"]}}, SuppressionReason.NOT_REQUIRED),
        ({"require": {"all": ["kharkiv", "odesa"]}}, SuppressionReason.NOT_REQUIRED),
        ({"exclude": {"any": ["power plants"]}}, SuppressionReason.EXCLUDED),
        ({"languages": ["uk"]}, SuppressionReason.LANGUAGE),
        ({"feeds": ["other"]}, SuppressionReason.OUT_OF_SCOPE),
        ({"tags": ["sport"]}, SuppressionReason.OUT_OF_SCOPE),
        ({"require": {"any": ["kharkiv*"], "all": ["missiles"]}}, None),
        ({"exclude": {"all": ["kharkiv", "football"]}, "languages": ["en"]}, None),
        ({"feeds": ["other"], "tags": ["war"]}, None),
    ],
)
def test_gates_and_scope_have_named_reasons(
    fields: dict[str, object],
    reason: SuppressionReason | None,
    matcher_of: Make,
    embedded: Embed,
) -> None:
    """A story over the threshold is held back by a gate, its language or its feed, by that name."""
    story = embedded(
        "Missiles hit power plants around Kharkiv, grid operator says",
        language="en-GB",
        feed_id="one",
        tags=("war",),
    )
    topic = Topic(id="t", name=STRIKES.name, **fields)  # type: ignore[arg-type]
    match = one(matcher_of(topic), story, "t")
    assert match.score > 0.5
    assert (match.reason, match.fired) == (reason, reason is None)


def test_every_topic_is_listed_with_its_grounds(matcher_of: Make, embedded: Embed) -> None:
    """Each match has score, line, evidence, the nearest phrase and the words in common."""
    story = embedded("Bank of England cuts interest rates to lowest in two years")
    matches = matcher_of(STRIKES, RATES, TALKS).score_batch([story])[0]
    assert [match.topic for match in matches] == ["strikes", "rates", "talks"]
    rates = matches[1]
    assert rates.fired and rates.score > 0.9
    assert rates.nearest in (RATES.name, RATES.description, *RATES.examples)
    assert {"Bank", "England", "interest", "rates"} <= set(rates.terms)
    assert rates.evidence == story.story.title


def test_vectors_of_another_model_are_refused(matcher_of: Make) -> None:
    """A story embedded by another model is an error, never a silent mis-match."""
    other = HashingEmbedder()
    part = Passage(0, "title", "Blackout", "Blackout")
    story = EmbeddedStory(
        Story(id="s", title="Blackout"), (part,), other.encode(["Blackout"]), other.fingerprint
    )
    with pytest.raises(ModelError, match="embedded anew"):
        matcher_of(STRIKES).score([story])


def test_another_model_is_calibrated_anew() -> None:
    """Without shipped numbers, sentences of our own give a model its first calibration."""
    other = HashingEmbedder()
    assert Background.shipped(other.fingerprint) is None
    background = Background.of(other.fingerprint, other.encode)
    assert background.origin == "sentences"
    phrases = texts([STRIKES])
    vectors = dict(zip(phrases, other.encode(phrases), strict=True))
    matcher = TopicMatcher.build([STRIKES], vectors, background)
    part = Passage(0, "title", STRIKES.name, STRIKES.name)
    same = EmbeddedStory(
        Story(id="s", title=STRIKES.name), (part,), other.encode([STRIKES.name]), other.fingerprint
    )
    assert matcher.score([same]).fired(0)


def test_shipped_numbers_belong_to_the_published_weights(model: TransformerEmbedder) -> None:
    """Other weights under the same name do not get the shipped calibration."""
    name, _, rules = model.fingerprint.split("/")
    assert Background.shipped(f"{name}/000000000000/{rules}") is None


def test_recent_stories_refresh_the_background(background: Background) -> None:
    """A few give context only; many also say what is ordinary; topics are then measured anew."""
    few = background.refreshed(background.vectors[:100])
    many = background.refreshed(background.vectors[:2000])
    assert few.origin == many.origin == "mixed"
    assert np.allclose(few.measure.shape, background.measure.shape)
    assert not few.measured and many.measured
    assert background.refreshed(background.vectors[:0]) is background


def test_an_edit_rebuilds_only_what_changed(
    background: Background, vectors_of: Callable[..., dict[str, np.ndarray]]
) -> None:
    """Unchanged topics are taken over from the matcher before."""
    vectors = vectors_of(STRIKES, TALKS, RATES)
    first = TopicMatcher.build([STRIKES, TALKS], vectors, background)
    second = TopicMatcher.build([RATES, STRIKES], vectors, background, first)
    assert second.profiles[1] is first.profiles[0]
    assert [topic.id for topic in second.topics] == ["rates", "strikes"]


def test_the_table_and_the_single_topic_agree(matcher_of: Make, background: Background) -> None:
    """Scoring all topics at once gives the numbers that scoring one gives."""
    matcher = matcher_of(STRIKES, RATES, TALKS)
    rows = background.in_context(background.vectors[:50])
    together = matcher.table.margins(rows)[1]
    for at, profile in enumerate(matcher.profiles):
        assert np.allclose(together[:, at], margins(profile, rows), atol=1e-3)


def test_packing_keeps_directions() -> None:
    """Four bits a number keep the cosine of a vector to itself above .98."""
    rows = np.random.default_rng(0).standard_normal((50, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert ((unpack(pack(rows)) * rows).sum(axis=1) > 0.98).all()


def test_no_topics_and_no_stories_are_no_trouble(matcher_of: Make, embedded: Embed) -> None:
    """An empty configuration scores nothing; an empty batch gives nothing."""
    assert matcher_of().score_batch([embedded("Anything")]) == [[]]
    assert matcher_of(STRIKES).score_batch([]) == []
    off = STRIKES.model_copy(update={"enabled": False})
    assert matcher_of(off).score_batch([embedded("Anything")]) == [[]]
