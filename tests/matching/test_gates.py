"""Word gates in every script: whole words where there are words, and none missed where not."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from monitor.cli.check import check as check_command
from monitor.config.schema import Gate
from monitor.folding import fold
from monitor.matching.gates import check, excludes


def stands(word: str, text: str) -> bool:
    """Whether a require gate of one word lets a text pass; an exclude gate must agree."""
    passed = check(Gate(any=(word,)), fold(text)).passed
    assert excludes(Gate(any=(word,)), fold(text)).passed is passed
    return passed


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ガザ", "イスラエル軍がガザを空爆した"),
        ("北约", "北约NATO峰会在海牙举行"),
        ("NATO", "北约NATO峰会在海牙举行"),
        ("NATO", "일본NATO가 회의"),
        ("나토", "나토가 회의를 열었다"),
        ("ยูเครน", "รัสเซียโจมตียูเครนอีกครั้ง"),
        ("ລາວ", "ປະເທດລາວ"),
        ("កម្ពុជា", "ព្រះរាជាណាចក្រកម្ពុជាថ្មី"),
        ("हिन्दी", "आज हिन्दी समाचार"),
        ("गाजा", "गाजा में हमला"),
        ("can't", "They can’t go on"),
        ("Biden", "Biden’s plan"),
        ("Diyarbakır", "DİYARBAKIR'da patlama"),
        ("مصر", "مـصـر تعلن"),
        ("ایران", "إيران: هجوم"),
        ("Łódź", "Fire in Lodz"),
        ("Ørsted", "Orsted shares fall"),
        ("two words", "in two\u202fwords"),
        ("hospital*", "three hospitals hit"),
        ("ガザ*", "パレスチナ自治区ガザ地区で"),
        ("U.S.", "the U.S. says"),
    ],
)
def test_a_word_is_found(word: str, text: str) -> None:
    """A gate's word is met in any script, spelling and neighbourhood."""
    assert stands(word, text)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("NATO", "a senator speaks"),
        ("Iran", "Tirana in spring"),
        ("हिन्द", "हिन्दी समाचार"),  # a vowel sign goes on with the word
        ("バス", "パスを出す"),
        ("토", "나토가"),
        ("war", "award"),
        ("мир", "премира"),
    ],
)
def test_a_part_of_another_word_is_not(word: str, text: str) -> None:
    """Where words are spaced, a gate's word is a whole word."""
    assert not stands(word, text)


@given(st.sampled_from(["ガザ", "加沙", "กาซา", "nato", "غزة", "हिन्दी", "나토"]), st.data())
def test_a_word_alone_or_between_blanks_is_always_found(word: str, data: st.DataObject) -> None:
    """Whatever surrounds it, a word with blanks about it is met."""
    left, right = data.draw(st.text(max_size=8)), data.draw(st.text(max_size=8))
    assert stands(word, f"{left} {word} {right}")


@pytest.mark.parametrize(
    ("gate", "example", "found"),
    [
        ("require: {any: [ガザ]}", "イスラエル軍がガザを空爆した", ""),
        ("require: {any: [gaza]}", "イスラエル軍がガザを空爆した", "require gate shuts out"),
        ("require: {any: [tsunami]}", "Quake flattens villages", "require gate shuts out"),
        ("exclude: {any: [village*]}", "Quake flattens villages", "exclude gate shuts out"),
        ("exclude: {any: [can't]}", "They can’t go", "exclude gate shuts out"),
    ],
)
def test_check_tries_gates_on_the_topics_own_examples(
    tmp_path: Path, gate: str, example: str, found: str
) -> None:
    """`check` says which example a gate would shut out, by the service's own rule and without
    the model, at the example's line."""
    (tmp_path / "topics.yaml").write_text(
        f"topics:\n- name: Gaza\n  examples:\n  - {example}\n  {gate}\n"
    )
    (tmp_path / "feeds.yaml").write_text("- https://wire.example/rss\n")
    said = CliRunner().invoke(check_command, ["--config", str(tmp_path), "--no-model"])
    assert (found in said.output) is bool(found) or not found
    assert ("topics.yaml:4:" in said.output) is bool(found)
