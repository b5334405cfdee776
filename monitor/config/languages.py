"""Languages as feeds, files and people write them, read as one code (BCP 47, RFC 5646).

Feeds say `en-US`, `eng`, `English`, `en, fr`, or the code of a country (`ua` for Ukrainian). The
library langcodes knows ISO 639 and its history; what people write besides is listed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import langcodes
from langcodes.tag_parser import LanguageTagError

from monitor.folding import fold

# Codes of countries, taken for languages. They are not codes of other living languages of the news;
# "kr" would be Kanuri, but a Korean feed says it.
_COUNTRIES = {
    "ua": "uk", "gr": "el", "cz": "cs", "jp": "ja", "cn": "zh", "dk": "da", "kr": "ko",
    "rs": "sr", "ir": "fa", "vn": "vi", "by": "be",
}  # fmt: skip
_NAMES = {
    fold(name): code
    for row in """
    af afrikaans | am amharic አማርኛ | ar arabic العربية | az azerbaijani azeri azərbaycanca
    be belarusian беларуская | bg bulgarian български | bn bengali bangla বাংলা | bs bosnian bosanski
    ca catalan català | cs czech čeština česky | cy welsh cymraeg | da danish dansk
    de german deutsch | el greek ελληνικά | en english | es spanish español castellano
    et estonian eesti | eu basque euskara | fa persian farsi فارسی | fi finnish suomi
    fr french français | ga irish gaeilge | gl galician galego | gu gujarati ગુજરાતી
    he hebrew עברית | hi hindi हिन्दी | hr croatian hrvatski | hu hungarian magyar
    hy armenian հայերեն | id indonesian | is icelandic íslenska | it italian italiano
    ja japanese 日本語 | ka georgian ქართული | kk kazakh қазақша | km khmer ខ្មែរ
    ko korean 한국어 | ku kurdish kurdî | ky kyrgyz кыргызча | lo lao ລາວ | lt lithuanian lietuvių
    lv latvian latviešu | mk macedonian македонски | ml malayalam മലയാളം | mn mongolian монгол
    mr marathi मराठी | ms malay melayu | mt maltese malti | my burmese မြန်မာ | ne nepali नेपाली
    nl dutch nederlands flemish | no norwegian norsk | pa punjabi ਪੰਜਾਬੀ | pl polish polski
    ps pashto پښتو | pt portuguese português | ro romanian română | ru russian русский
    si sinhala සිංහල | sk slovak slovenčina | sl slovenian slovene slovenščina | so somali soomaali
    sq albanian shqip | sr serbian српски srpski | sv swedish svenska | sw swahili kiswahili
    ta tamil தமிழ் | te telugu తెలుగు | th thai ไทย ภาษาไทย | tl tagalog filipino | tr turkish türkçe
    uk ukrainian українська | ur urdu اردو | uz uzbek o'zbekcha | vi vietnamese việt
    zh chinese mandarin 中文 简体中文 繁體中文 | zu zulu
    """.replace("\n", "|").split("|")
    if row.strip()
    for code, *names in [row.split()]
    for name in names
}
_ENGLISH_NAMES: dict[str, str] = {}
for _name, _its_code in _NAMES.items():
    _ENGLISH_NAMES.setdefault(_its_code, _name.capitalize())
_PARTS = re.compile(r"[,;/|+]|\s+and\s+|\s+&\s+")
_NORWEGIAN = {"nb": "no", "nn": "no"}


@lru_cache(maxsize=4096)
def language_codes(text: str) -> tuple[str, ...]:
    """Return the languages a text names, such as ("en", "fr") for "English, fr-FR".

    Regions and scripts stay where they were written ("pt-BR"). Parts that name no language are
    left out, so that gibberish is an unknown language, never another one.
    """
    found = [_code(part) for part in _PARTS.split(text)]
    return tuple(dict.fromkeys(code for code in found if code))


def language(*texts: str) -> str:
    """Return the first of the texts that names a language, in one spelling; "" if none does."""
    return next((", ".join(codes) for text in texts if (codes := language_codes(text))), "")


def speaks(spoken: str, wanted: Iterable[str]) -> bool:
    """Say whether a story's language is one of those wanted. `en` takes en-GB in, and `no` nb."""
    asked = {primary for text in wanted for primary in _primaries(text)}
    return not asked.isdisjoint(_primaries(spoken))


def primary(code: str) -> str:
    """Return a language's code without script and region: "pt" for "pt-BR", "no" for "nb"."""
    first = code.partition("-")[0]
    return _NORWEGIAN.get(first, first)


def language_name(code: str) -> str:
    """Return the English name of a language; its code where there is none here."""
    return _ENGLISH_NAMES.get(primary(code), code)


def script_of(code: str) -> str:
    """Return the script a language is usually written in (ISO 15924: "Latn"), or ""."""
    try:
        return langcodes.Language.get(code).maximize().script or ""
    except (LanguageTagError, ValueError):
        return ""


def _primaries(text: str) -> set[str]:
    return {primary(code) for code in language_codes(text)}


def _code(part: str) -> str:
    """Return the code of one language as it was written, or ""."""
    low = part.strip().strip("()[]\"'").casefold()
    low = re.split(r"[.@(\[:]", low)[0].strip().replace("_", "-").replace(" ", "-")
    primary = low.partition("-")[0]
    for said in (low, primary, low.rpartition("-")[2]):  # "English (UK)", "British English"
        if name := _NAMES.get(fold(said)):
            return name
    if primary in _COUNTRIES:
        return _COUNTRIES[primary]
    try:
        code = langcodes.standardize_tag(primary, macro=True)
        tag = langcodes.standardize_tag(low, macro=True)
    except (LanguageTagError, ValueError, AttributeError):
        return ""
    if code in _NO_LANGUAGE or not langcodes.tag_is_valid(code):
        return ""
    return tag if langcodes.tag_is_valid(tag) else code


_NO_LANGUAGE = {"und", "mul", "mis", "zxx", "root", "x", "i"}


def language_fault(text: str) -> tuple[str, str]:
    """Return (what to say, its severity) of a language written in a file; ("", "") if it is good.

    What is not the usual code but can mean one thing only is understood, with a warning.
    """
    codes = language_codes(text)
    if not codes:
        advice = 'write a two-letter code such as "en" or "uk"'
        return f'"{text}" is not a language code; {advice}', "error"
    usual = [code.partition("-")[0] for code in codes]
    if len(usual) == 1 and text.strip().lower().replace("_", "-").split("-")[0] == usual[0]:
        return "", ""
    meant = ", ".join(f'"{code}"' for code in usual)
    return f'"{text}" is not a language code; it is read as {meant}: write {meant}', "warning"
