"""Words of a `require` gate that can never stand in what a feed writes: another script or alphabet.

An English gate over a Russian feed lets nothing through and says nothing of it. Only what is
certain is told: Russian has no і, Chinese no Cyrillic. Names in capitals (NATO) cross scripts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import regex

from monitor.config.languages import language_codes, language_name, primary, script_of, speaks
from monitor.config.names import fits
from monitor.config.schema import FeedSource, Topic

# Scripts by the names that Unicode gives a letter, where a language's own script is of several.
_PARTS = {"Hans": "Hani", "Hant": "Hani"}
_ALSO = {
    "ja": ("Hani", "Hira", "Kana"), "ko": ("Hang", "Hani"),
    "sr": ("Latn", "Cyrl"), "bs": ("Latn", "Cyrl"), "uz": ("Latn", "Cyrl"), "kk": ("Latn", "Cyrl"),
    "az": ("Latn", "Cyrl"), "pa": ("Guru", "Arab"), "ku": ("Latn", "Arab"), "mn": ("Cyrl", "Mong"),
}  # fmt: skip
# Cyrillic letters that an alphabet does not have.
_FOREIGN = {"ru": "іїєґўјљњћџ", "uk": "ыэъёўјљњћџ", "be": "иїєґщъјљњћџ", "bg": "ыэёіїєґўјљњћџ"}
_NAMES = {
    "Latn": "Latin letters", "Cyrl": "Cyrillic", "Arab": "Arabic letters", "Hebr": "Hebrew letters",
    "Hani": "Chinese characters", "Grek": "Greek letters", "Hang": "Korean letters",
    "Deva": "Devanagari", "Thai": "Thai letters", "Geor": "Georgian letters",
}  # fmt: skip
_SCRIPT = regex.compile(
    "|".join(rf"(?P<{name}>\p{{Script={name}}})" for name in (*_NAMES, "Hira", "Kana", "Armn"))
)


def never_met(
    topic: Topic, feeds: Iterable[FeedSource]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path of keys, what is wrong) where a gate's words can never occur in a feed.

    Only feeds count that the topic watches and whose language the configuration states.
    """
    any_, all_ = topic.require.any, topic.require.all
    by_language: dict[str, list[str]] = {}
    for feed in feeds:
        watched = not (topic.feeds or topic.tags) or (
            any(fits(pattern, feed.id) for pattern in topic.feeds)
            or not set(topic.tags).isdisjoint(feed.tags)
        )
        codes = language_codes(feed.language)
        wanted = not topic.languages or speaks(feed.language, topic.languages)
        if feed.enabled and watched and wanted and len(codes) == 1:
            by_language.setdefault(primary(codes[0]), []).append(feed.id)
    for code, names in by_language.items():
        where = f"{language_name(code)} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        if any_ and all(_cannot_stand(word, code) for word in any_):
            yield (
                ("require", "any"),
                f"none of the words of require.any can stand in {where}: they are in "
                f"{_script_name(any_[0])}; add words in that language, or limit the topic with "
                "languages:",
            )
        for at, word in enumerate(all_):
            if _cannot_stand(word, code):
                yield (
                    ("require", "all", at),
                    f'"{word}" of require.all can never stand in {where}, so nothing from there '
                    "passes; move it to any: beside its translations",
                )


def _cannot_stand(word: str, code: str) -> bool:
    """Whether a word cannot stand in a text of a language, by its letters alone."""
    usual = script_of(code)
    scripts = _ALSO.get(code) or (_PARTS.get(usual, usual),)
    if not any(scripts) or len(word) < 2:
        return False
    own = {match.lastgroup for match in _SCRIPT.finditer(word)}
    if own == {"Latn"}:
        return "Latn" not in scripts and not word.strip("*").isupper()
    if own and own.isdisjoint(scripts):
        return True
    return own == {"Cyrl"} and any(letter in _FOREIGN.get(code, "") for letter in word.casefold())


def _script_name(word: str) -> str:
    found = _SCRIPT.search(word)
    script = found.lastgroup if found and found.lastgroup else ""
    return _NAMES.get(script, "another script")
