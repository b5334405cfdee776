"""Time zones by the names that feeds use: abbreviations and IANA names."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

# Minutes east of UTC. EST, CST, MST and PST mean North America, as RFC 822 section 5.1 has it.
_MINUTES = {
    "z": 0, "gmt": 0, "utc": 0, "ut": 0, "uct": 0, "wet": 0,
    "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480,
    "pdt": -420, "akst": -540, "akdt": -480, "hst": -600, "hdt": -540, "ast": -240, "adt": -180,
    "nst": -210, "ndt": -150,
    "brt": -180, "brst": -120, "art": -180, "uyt": -180, "pyt": -180, "clt": -240, "clst": -180,
    "bot": -240, "vet": -240, "cot": -300, "pet": -300, "ect": -300,
    "bst": 60, "west": 60, "cet": 60, "mez": 60, "wat": 60, "cest": 120, "mesz": 120, "eet": 120,
    "cat": 120, "sast": 120, "eest": 180, "idt": 180, "msk": 180, "мск": 180, "msd": 240,
    "trt": 180, "eat": 180, "fet": 180, "irst": 210, "irdt": 270,
    "gst": 240, "samt": 240, "azt": 240, "get": 240, "aft": 270, "pkt": 300, "uzt": 300,
    "yekt": 300, "tmt": 300, "tjt": 300, "ist": 330, "slst": 330, "npt": 345, "omst": 360,
    "btt": 360, "bdt": 360, "mmt": 390, "ict": 420, "wib": 420, "krat": 420, "novt": 420,
    "hkt": 480, "sgt": 480, "myt": 480, "pht": 480, "phst": 480, "awst": 480, "wita": 480,
    "irkt": 480, "ulat": 480, "jst": 540, "kst": 540, "wit": 540, "yakt": 540,
    "acst": 570, "acdt": 630,
    "aest": 600, "aedt": 660, "vlat": 600, "chst": 600, "magt": 660, "sakt": 660, "pett": 720,
    "nzst": 720, "nzdt": 780, "fjt": 720, "tot": 780,
}  # fmt: skip
# Where a feed's language tells what an ambiguous name means.
_BY_LANGUAGE = {
    ("ist", "he"): 120, ("ist", "ga"): 60, ("ist", "en-ie"): 60,
    ("cst", "zh"): 480, ("bst", "bn"): 360, ("mst", "ms"): 480, ("mst", "my"): 390,
    ("pst", "fil"): 480, ("pst", "tl"): 480, ("ast", "ar"): 180, ("amt", "hy"): 240,
    ("amt", "pt"): -240,
}  # fmt: skip
# Names that do not say whether it is summer.
_GENERIC = {
    "et": "America/New_York", "ct": "America/Chicago", "mt": "America/Denver",
    "pt": "America/Los_Angeles", "aet": "Australia/Sydney", "msc": "Europe/Moscow",
}  # fmt: skip
_WEST, _EAST = -12 * 60, 14 * 60


def zone_named(name: str, language: str = "") -> tzinfo | None:
    """Return the zone of an abbreviation or an IANA name in lower case, or None.

    Args:
        name: such as "cest", "et" or "europe/brussels".
        language: the feed's, as BCP 47 in lower case; it decides what IST, CST and others mean.
            Without it IST is India's.
    """
    if "/" in name:
        key = _iana().get(name)
        try:
            return ZoneInfo(key) if key else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None
    if name in _GENERIC:
        return ZoneInfo(_GENERIC[name])
    minutes = _BY_LANGUAGE.get((name, language))
    if minutes is None:
        minutes = _BY_LANGUAGE.get((name, language.partition("-")[0]))
    if minutes is None:
        minutes = _MINUTES.get(name)
    return offset(minutes) if minutes is not None else None


def offset(minutes: int) -> tzinfo | None:
    """Return a zone so many minutes east of UTC, or None where no place on Earth is that far."""
    if not _WEST <= minutes <= _EAST:
        return None
    return timezone(timedelta(minutes=minutes)) if minutes else UTC


@cache
def _iana() -> dict[str, str]:
    return {key.lower(): key for key in available_timezones()}
