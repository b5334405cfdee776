"""Values as bytes and back: what travels in streams and rests in the story archive.

Vectors travel as little-endian float16 (half the space; cosines agree to the third decimal) and
are float32 in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from monitor.model import EmbeddedStory, Judged, Matrix, Passage, Story, Vector


def pack_story(story: Story) -> dict[str, bytes]:
    """Return the stream fields of a story that has no vectors yet."""
    return {"story": _dump(story.to_dict())}


def unpack_story(fields: Mapping[bytes, bytes]) -> Story:
    """Rebuild a story from stream fields.

    Raises:
        ValueError: the fields do not hold a story.
    """
    try:
        return Story.from_dict(json.loads(fields[b"story"]))
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a story: {error}") from None


def pack_vectors(vectors: Matrix | Vector) -> bytes:
    """Return vectors as float16 bytes."""
    return vectors.astype("<f2").tobytes()


def unpack_vectors(data: bytes, dimension: int) -> Matrix:
    """Return float16 bytes as a float32 matrix of shape (n, dimension)."""
    return np.frombuffer(data, dtype="<f2").reshape(-1, dimension).astype(np.float32)


def pack_embedded(item: EmbeddedStory) -> dict[str, bytes]:
    """Return the stream (and archive) fields of an embedded story.

    What the model read is left out: it can be made again from the story, evidence cannot wait.
    """
    return {
        "story": _dump(item.story.to_dict()),
        "passages": _dump([[p.kind, p.text] for p in item.passages]),
        "vectors": pack_vectors(item.vectors),
        "happening": pack_vectors(item.happening),
        "model": item.model.encode(),
        **({"judged": _dump(_judged_row(item.judged))} if item.judged else {}),
        **({"levels": _dump(item.levels)} if item.levels else {}),
    }


def unpack_embedded(fields: Mapping[bytes, bytes]) -> EmbeddedStory:
    """Rebuild an embedded story from stream or archive fields.

    Raises:
        ValueError: the fields do not hold one.
    """
    story = unpack_story(fields)
    try:
        rows = json.loads(fields[b"passages"])
        passages = tuple(Passage(n, kind, text, "") for n, (kind, text) in enumerate(rows))
        raw = fields[b"vectors"]
        if not passages or len(raw) % (2 * len(passages)):
            raise ValueError(f"{len(raw)} bytes of vectors for {len(passages)} passages")
        vectors = unpack_vectors(raw, len(raw) // (2 * len(passages)))
        happening = unpack_vectors(fields.get(b"happening", b""), 1).ravel()
        judged = _judged(fields.get(b"judged"))
        model = fields[b"model"].decode()
        levels = tuple(map(float, json.loads(fields.get(b"levels", b"[]"))))
        if len(levels) != 4 or not all(0 <= chance <= 1 for chance in levels):
            levels = ()
        return EmbeddedStory(story, passages, vectors, model, happening, judged, levels)
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not an embedded story: {error}") from None


def _judged_row(judged: Judged) -> list[object]:
    answers = [[name, round(logit, 3), at] for name, (logit, at) in judged.answers.items()]
    second = [[name, belongs, why] for name, (belongs, why) in judged.second.items()]
    return [judged.topics, answers, second] if second else [judged.topics, answers]


def _judged(raw: bytes | None) -> Judged | None:
    if raw is None:
        return None
    topics, answers, *more = json.loads(raw)
    return Judged(
        str(topics),
        {str(name): (float(logit), int(at)) for name, logit, at in answers},
        {str(name): (bool(yes), str(why)) for name, yes, why in (more[0] if more else ())},
    )


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
