"""The dates of one document: read, with what was doubtful about them."""

from __future__ import annotations

from monitor.parsing.dates import read_date


class DateReader:
    """Reads the dates of one document, and remembers what it could not read.

    `language` is the document's (BCP 47), "" if unknown. After a first pass `learns` says whether
    a second one would read more: the document's other dates have shown whether months come first.
    """

    def __init__(self) -> None:
        self.language = ""
        self._month_first: bool | None = None
        self.begin()

    def begin(self) -> None:
        """Start with the document (again): forget what was doubtful, keep what was learned."""
        self._shown: set[bool] = set()
        self._open: list[tuple[float, float]] = []
        self._doubts: dict[str, list[str]] = {}

    def read(self, text: str) -> float | None:
        """Return the instant that a text says, in Unix seconds, or None."""
        if not text:
            return None
        reading = read_date(text, self.language.lower(), self._month_first)
        if reading.doubt:
            self._doubts.setdefault(reading.doubt, []).append(text.strip())
        if reading.either:
            self._open.append(reading.either)
        if reading.month_first is not None:
            self._shown.add(reading.month_first)
        return reading.instant

    def learns(self) -> bool:
        """Settle the order of day and month by the other dates; whether to read once more."""
        if not self._open or self._month_first is not None:
            return False
        if len(self._shown) == 1:
            self._month_first = next(iter(self._shown))
        elif not self._shown:
            self._month_first = _closer_together(self._open)
        return self._month_first is not None

    def warnings(self) -> list[str]:
        """Return a sentence for each kind of doubt, with an example."""
        return [
            f"{len(texts)} date{'s' if len(texts) > 1 else ''} {doubt}: {texts[0][:60]!r}"
            for doubt, texts in self._doubts.items()
        ]


def _closer_together(pairs: list[tuple[float, float]]) -> bool | None:
    """Whether months come first, judged by which order keeps the dates of a document together."""
    day_first = [pair[0] for pair in pairs]
    month_first = [pair[1] for pair in pairs]
    one = max(day_first) - min(day_first)
    other = max(month_first) - min(month_first)
    if one == other or min(one, other) * 4 > max(one, other):
        return None
    return other < one
