"""What the trainings lay out is what the service reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.editors.severity import LEAD
from monitor.embedding import embed_stories
from monitor.embedding.hashing import HashingEmbedder
from monitor.model import Story
from monitor.models import base, library
from monitor.models.library import Library
from monitor.models.tokenizer import FILE, Tokenizer
from training.prepare import GLUE, Texts
from training.severity import SeverityLessons

pytestmark = pytest.mark.slow

TITLE, SUMMARY = "Drones hit a power station near Kharkiv", "Half the city is dark. " * 40


@pytest.mark.parametrize("summary", [SUMMARY, ""])
def test_severity_is_taught_on_the_words_that_the_service_reads(
    summary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same word pieces, marks included: once all but the first of `query:` was cut off."""
    text = Texts()
    glue = {name: text(value) for name, value in GLUE.items()}
    row = {"title": text(TITLE), "summary": text(summary[:LEAD]), "level": 2.0, "held": 0}
    tokens = text.tokens(Tokenizer(base.folder() / FILE))
    flat = np.concatenate([np.array(one, np.int32) for one in tokens])
    ends = np.cumsum([0, *map(len, tokens)])
    np.savez(tmp_path / "texts.npz", words=flat, ends=ends, **glue)
    np.savez(tmp_path / "severity.npz", **{name: np.array([one]) for name, one in row.items()})
    ids, lengths = SeverityLessons(tmp_path, 0).laid(np.array([0]), vary=False)

    read: list[list[int]] = []

    def states(model: Any, texts: list[list[int]], size: int) -> np.ndarray:
        read.extend(texts)
        return np.zeros((len(texts), 384), np.float32)

    monkeypatch.setattr(library, "mean_states", states)
    story = Story(id="s", title=TITLE, summary=summary)
    [item] = embed_stories(HashingEmbedder(), [story], 2)
    Library().severity.chances([item.headline_and_lead(LEAD)])
    assert read == [ids[0, : lengths[0]].tolist()]
