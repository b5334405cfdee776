"""Silences: what a matcher holds for, when it ends, and under which name it is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.silence_store import SilenceStore
from monitor.alerting.silences import FIELDS, LONGEST, Matcher, Silence, nothing_fits, silenced_by
from monitor.reasons import SuppressionReason
from monitor.store.commands import Redis
from monitor.store.keys import Keys
from tests.support.alerts import FIRST, NOW, config


def silence(*matchers: str, kind: str = "silence", ends: float = NOW + 60) -> Silence:
    """A silence around NOW."""
    parsed = tuple(Matcher.parse(text) for text in matchers)
    return Silence(f"s{len(matchers)}", parsed, NOW - 60, ends, "ana", "too many", kind)


@pytest.mark.parametrize(
    ("matchers", "held"),
    [
        (("topic=us-*",), True),
        (("topic=US-*",), True),
        (("topic!=us-*",), False),
        (("topic=us-*", "urgency=low"), False),
        (("source=Example*",), True),
        (("source=example",), True),
        (("label=world-desk",), True),
        (("title=*ceasefire*",), True),
        (("channel=mail",), False),
        ((), False),
    ],
)
def test_every_matcher_must_hold(matchers: tuple[str, ...], held: bool) -> None:
    """All matchers of a silence must hold; one without any never does."""
    assert silence(*matchers).covers(FIRST, "world", NOW) is held


@pytest.mark.parametrize(
    ("pattern", "title"),
    [
        ("title=*diyarbakir*", "DİYARBAKIR'da patlama"),
        ("title=*can't wait*", "Minister: “we can’t\u00a0wait”"),
        ("title=*12 000*", "Floods leave 12\u202f000 homeless"),
        ("title=*łódź*", "Fire in LODZ"),
        ("title＝＊غزه＊".replace("＝", "="), "قصف على غزّة"),
    ],
)
def test_a_silence_reads_as_a_word_gate_does(pattern: str, title: str) -> None:
    """Accents, apostrophes, blanks, figures and full width are one, as for gates and copies."""
    alert = replace(FIRST, story=replace(FIRST.story, title=title))
    assert silence(pattern).covers(alert, "world", NOW)


def test_it_begins_and_ends() -> None:
    """A silence holds from its start until just before its end."""
    short = silence("topic=*", ends=NOW + 10)
    assert short.covers(FIRST, "world", NOW + 9.9)
    assert not short.covers(FIRST, "world", NOW + 10)
    assert not short.covers(FIRST, "world", NOW - 61)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("silence", SuppressionReason.SILENCED),
        ("mute", SuppressionReason.MUTED),
        ("snooze", SuppressionReason.SNOOZED),
    ],
)
def test_each_kind_is_counted_by_its_name(kind: str, reason: SuppressionReason) -> None:
    """What a silence, a mute or a snooze holds back is counted apart."""
    found = silenced_by([silence("topic=*", kind=kind)], FIRST, "world", NOW)
    assert found is not None and found[1] is reason


@pytest.mark.parametrize("text", ["topic", "colour=red", "=x", "topic==", "topic="])
def test_a_bad_matcher_says_how_to_write_one(text: str) -> None:
    """A matcher that cannot be read is refused with the form and the fields."""
    if text == "topic==":
        assert Matcher.parse(text).pattern == "="
        return
    with pytest.raises(ValueError, match="field=pattern"):
        Matcher.parse(text)


@given(st.sampled_from(FIELDS), st.text(min_size=1, max_size=20), st.booleans())
def test_silences_survive_storing(field: str, pattern: str, negate: bool) -> None:
    """A silence read back is the one stored, whatever its pattern."""
    one = replace(silence("topic=*"), matchers=(Matcher(field, pattern, negate),), author=pattern)
    assert Silence.from_json(one.to_json()) == one


async def test_they_are_kept_and_ended(each_store: Redis, keys: Keys) -> None:
    """Silences are there for every process, end early on request, and go in time."""
    silences = SilenceStore(each_store, keys)
    await silences.add(silence("topic=a"), NOW)
    await silences.add(replace(silence("topic=b"), id="later", ends=NOW + 7200), NOW)
    assert [item.id for item in await silences.active(NOW)] == ["s1", "later"]
    assert await silences.end("later", NOW + 1) is not None
    assert await silences.end("none", NOW) is None
    assert await silences.active(NOW + 120) == []
    assert len(await silences.all()) == 2
    await silences.add(replace(silence("topic=c"), id="new", ends=NOW + 10**7), NOW + 8 * 86400)
    assert [item.id for item in await silences.all()] == ["new"]
    assert await each_store.ttl(keys("silence", "all")) > 0


def test_a_silence_lasts_a_year_at_most() -> None:
    """A slip of the finger does not silence for ever; one stored by an earlier version is cut."""
    with pytest.raises(ValueError, match="366 days"):
        silence("topic=*", ends=NOW + 86400 * 900)
    stored = silence("topic=*").to_json().replace(str(NOW + 60), str(1e17))
    assert Silence.from_json(stored).ends == NOW - 60 + LONGEST


def test_a_matcher_that_nothing_fits_is_named() -> None:
    """A mistyped topic or channel is found; what is not known beforehand is let pass."""
    settings = config(
        topics=[{"id": "nvidia", "name": "Nvidia"}], channels={"world": {"type": "terminal"}}
    )

    def unknown(*matchers: str) -> list[str]:
        return [str(matcher) for matcher in nothing_fits(silence(*matchers), settings)]

    assert unknown("topic=nvdia", "channel=word") == ["topic=nvdia", "channel=word"]
    assert unknown("topic=NV*", "channel=terminal", "event=e1", "title=*x*", "topic!=nvdia") == []
