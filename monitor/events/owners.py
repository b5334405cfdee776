"""Who stands behind an outlet: independent sources are counted by owner, not by masthead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml

from monitor.errors import ConfigError, Problem
from monitor.folding import fold
from monitor.identity import site
from monitor.model import Story

_SHIPPED = Path(__file__).with_name("owners.yaml")
_CREDIT = re.compile(
    r"^\W{0,3}(?:[A-ZÀ-Þ][\w.'’ ]{1,40},? [\w., ]{0,30})?"  # KYIV, Ukraine
    r"[(\[]?\b(AP|Reuters|AFP|dpa|Xinhua|UPI|PA Media)\b[)\]]?\s*[-–—:]",
    re.UNICODE,
)
_BYLINE = re.compile(r"\b(Associated Press|Reuters|AFP|Agence France-Presse)\b")


class Owners:
    """The table of owners; names match without regard to case or a leading "the"."""

    def __init__(self, table: Mapping[str, list[str]]) -> None:
        self._owner: dict[str, str] = {}
        for owner, outlets in table.items():
            self._owner.setdefault(_key(owner), owner)
            for outlet in outlets:
                self._owner[_key(outlet)] = owner

    @classmethod
    def load(cls, path: str = "") -> Self:
        """Read the shipped table and, where `path` names one, a table of the user's own on top.

        Raises:
            ConfigError: the file is missing, is not YAML, or is not a mapping of lists.
        """
        table: dict[str, list[str]] = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
        if path:
            table = {**table}
            for owner, outlets in _read(path).items():
                table[owner] = [*table.get(owner, []), *outlets]
        return cls(table)

    def of(self, story: Story) -> str:
        """Return who answers for a story: its feed's owner, or its outlet's.

        Nothing that a publisher writes (byline, credit, link) makes it another owner, or one feed
        could pose as three sources.
        """
        if story.owner:
            return self._owner.get(_key(story.owner), story.owner)
        if story.source and (found := self._owner.get(_key(story.source))):
            return found
        known = self._of_host(host := _host(story.url))
        return known or story.source or site(host) or story.feed_id

    def of_address(self, url: str) -> str:
        """Return who owns the host of an address."""
        host = _host(url)
        outlet = site(host)
        return self._of_host(host) or self._owner.get(_key(outlet), outlet)

    def credited(self, story: Story) -> str:
        """Return whose report a story says it is: an agency's or another outlet's; or "".

        Reports of several outlets that one agency supplied are one source, so a credit can make
        sources fewer, never more.
        """
        name = _agency_of(story) or story.outlet
        return self._owner.get(_key(name), name)

    def _of_host(self, host: str) -> str:
        labels = host.split(".")
        for start in range(max(0, len(labels) - 1)):
            if found := self._owner.get(".".join(labels[start:])):
                return found
        return ""


def _agency_of(story: Story) -> str:
    """Return the news agency a story is credited to, or ""."""
    credit = _CREDIT.search(story.summary[:80] or story.body[:80])
    byline = _BYLINE.search(story.author) if story.author else None
    found = credit or byline
    return found.group(1) if found else ""


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _key(name: str) -> str:
    return fold(name).removeprefix("the ").removeprefix("www.")


def _read(path: str) -> dict[str, list[str]]:
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            [Problem(path, 0, f"cannot be read ({error.strerror}); correct events.owners_file")]
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        raise ConfigError([Problem(path, line, "is not valid YAML; see owners.yaml")]) from error
    good = isinstance(data, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names)
        for names in data.values()
    )
    if not good:
        raise ConfigError(
            [Problem(path, 1, "must map each owner to a list of outlets, as in `Owner: [A, B]`")]
        )
    return {str(owner): list(names) for owner, names in data.items()}
