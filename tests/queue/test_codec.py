"""What travels between the stages comes out as it went in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.codec import pack_embedded, unpack_embedded
from monitor.model import EmbeddedStory, Passage, Story

TEXT = st.text(max_size=200).filter(lambda text: text.isprintable())


def sent(item: EmbeddedStory) -> dict[bytes, bytes]:
    """Return an embedded story as the queue hands it over."""
    return {key.encode(): value for key, value in pack_embedded(item).items()}


@given(title=TEXT, width=st.sampled_from([0, 8, 384]), count=st.integers(1, 24))
def test_an_embedded_story_comes_out_as_it_went_in(title: str, width: int, count: int) -> None:
    """Texts are the same, vectors as exact as half precision is, with and without a second view."""
    made = np.random.default_rng(count)
    parts = tuple(Passage(at, "title", title, title) for at in range(count))
    item = EmbeddedStory(
        Story(id="s", title=title), parts, made.random((count, 16), np.float32), "m/w/t1",
        made.random(width, np.float32),
    )  # fmt: skip
    found = unpack_embedded(sent(item))
    assert found.story == item.story and found.model == item.model
    assert [part.text for part in found.passages] == [title] * count
    assert found.vectors.shape == (count, 16) and found.happening.shape == (width,)
    assert np.allclose(found.vectors, item.vectors, atol=1e-3)
    assert np.allclose(found.happening, item.happening, atol=1e-3)


def test_a_story_from_before_the_second_view_is_read() -> None:
    """One that waited in the queue over an upgrade has no such vector, and is no error."""
    item = EmbeddedStory(
        Story(id="s", title="t"), (Passage(0, "title", "t", "t"),), np.ones((1, 4), np.float32), "m"
    )
    fields = sent(item)
    del fields[b"happening"]
    assert unpack_embedded(fields).happening.shape == (0,)


@pytest.mark.parametrize("broken", [b"", b"x"])
def test_a_broken_message_is_a_value_error(broken: bytes) -> None:
    """What cannot be read says so, for the dead letters."""
    item = EmbeddedStory(
        Story(id="s", title="t"), (Passage(0, "title", "t", "t"),), np.ones((1, 4), np.float32), "m"
    )
    with pytest.raises(ValueError, match="not a story"):
        unpack_embedded(sent(item) | {b"story": broken})
