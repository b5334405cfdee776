"""Language codes (ISO 639-1, with BCP 47 subtags), and the right code for a common wrong one."""

from __future__ import annotations

import re

_TWO_LETTERS = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy "
    "da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu "
    "hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb "
    "lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om "
    "or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv "
    "sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
_FORM = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_MEANT = {
    "ua": "uk", "jp": "ja", "cn": "zh", "gr": "el", "dk": "da", "cz": "cs", "iw": "he",
    "english": "en", "ukrainian": "uk", "russian": "ru", "french": "fr", "german": "de",
    "spanish": "es", "portuguese": "pt", "italian": "it", "polish": "pl", "turkish": "tr",
    "arabic": "ar", "hebrew": "he", "persian": "fa", "farsi": "fa", "chinese": "zh",
    "japanese": "ja", "korean": "ko", "hindi": "hi", "dutch": "nl", "greek": "el", "eng": "en",
}  # fmt: skip


def language_fault(code: str) -> str:
    """Return "" for a usable language code, else what is wrong and what to write."""
    low = code.strip().lower().replace("_", "-")
    primary = low.partition("-")[0]
    meant = _MEANT.get(low) or _MEANT.get(primary)
    if (
        _FORM.fullmatch(low)
        and not meant
        and (len(primary) == 3 or f" {primary} " in f" {_TWO_LETTERS} ")
    ):
        return ""
    advice = f'write "{meant}"' if meant else 'write a two-letter code such as "en" or "uk"'
    return f'"{code}" is not a language code; {advice}'
