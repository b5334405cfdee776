"""Encodings by the names that documents give them, and by the language they are in.

Names as the WHATWG Encoding Standard has them (encoding.spec.whatwg.org), besides those that
Python knows: publishers write what browsers understand.
"""

from __future__ import annotations

import codecs
import re

# Names of the standard that Python does not know.
_LABELS = {
    "dos-874": "cp874", "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8",
    "logical": "iso-8859-8", "visual": "iso-8859-8", "iso-8859-6-i": "iso-8859-6",
    "iso-8859-6-e": "iso-8859-6", "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic", "x-mac-roman": "mac-roman", "x-sjis": "cp932",
    "windows-31j": "cp932", "ms_kanji": "cp932", "x-gbk": "gb18030", "gb_2312": "gb18030",
    "gb_2312-80": "gb18030", "csgb2312": "gb18030", "x-x-big5": "big5hkscs", "cn-big5": "big5hkscs",
    "x-euc-jp": "euc_jp", "x-euc-kr": "cp949", "korean": "cp949", "utf-8-mac": "utf-8",
    "unicode-1-1-utf-8": "utf-8", "x-unicode20utf8": "utf-8",
}  # fmt: skip
_CODE_PAGE = re.compile(r"(?:x-?)?(?:windows|win|cp|ms|ibm)[-_]?(\d{3,4})")
# What publishers mean: browsers read these as the larger set as well.
_MEANT = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "iso8859-9": "cp1254",
    "iso8859-11": "cp874", "tis-620": "cp874",
}  # fmt: skip
# What a language's documents are in that do not say it (the standard's table of locales).
_USUAL = {
    language: encoding
    for encoding, languages in {
        "cp1250": "bs cs hr hu pl ro sk sl", "cp1251": "be bg kk ky mk mn ru sr uk",
        "cp1253": "el", "cp1254": "az ku tr", "cp1255": "he yi", "cp1256": "ar fa ur",
        "cp1257": "et lt lv", "cp1258": "vi", "cp874": "th", "cp932": "ja", "cp949": "ko",
        "gb18030": "zh", "big5hkscs": "zh-tw zh-hk zh-mo zh-hant",
    }.items()
    for language in languages.split()
}  # fmt: skip


def codec_named(label: str) -> str:
    """Return Python's name of the encoding that a document names, or "" for none."""
    name = label.strip().lower()
    name = _LABELS.get(name, name)
    for tried in (name, _CODE_PAGE.sub(r"cp\1", name)):
        try:
            codec = codecs.lookup(tried)
        except (LookupError, ValueError):
            continue
        if getattr(codec, "_is_text_encoding", True) and "unicode_escape" not in codec.name:
            return _MEANT.get(codec.name, codec.name)
    return ""


def usual_encoding(language: str) -> str:
    """Return what documents in a language (BCP 47) are in where they are not UTF-8."""
    code = language.lower().replace("_", "-")
    return _USUAL.get(code) or _USUAL.get(code.partition("-")[0], "cp1252")
