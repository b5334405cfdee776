"""Why a story belongs to an event or founds one, in one line for `wirewatch explain`."""

from __future__ import annotations

from collections.abc import Callable

from monitor.events.features import Member
from monitor.events.place_names import places
from monitor.events.text import bucket, tokens

_WORTH_SAYING = 0.1  # probability from which a story that was kept apart is named


def joined(
    member: Member,
    nearest: Member,
    likely: float,
    judge: float | None,
    rarity: Callable[[int], float],
) -> str:
    """Return why a story belongs to the event of `nearest`."""
    theirs = set(nearest.terms)
    keys = {word.surface: bucket(word.stem) for word in tokens(member.title)}
    shared = [surface for surface, key in keys.items() if key in theirs]
    shared.sort(key=lambda surface: -rarity(keys[surface]))
    hours = abs(member.time - nearest.time) / 3600
    parts = [f"{likely:.0%} likely the same"]
    if shared:
        parts.append("shares " + ", ".join(shared[:3]))
    parts += _places(member, nearest)
    parts += _judge(judge)
    parts.append(f"{hours:.0f} h apart" if hours >= 1 else "within the hour")
    text = f"same event as “{nearest.title}”: " + ", ".join(parts)
    return text if member.sure else text + "; not sure enough to count as a source"


def first(member: Member, closest: Member | None, likely: float, judge: float | None) -> str:
    """Return why a story founds an event; names the closest that it was kept apart from."""
    if closest is None or (judge is None and likely < _WORTH_SAYING):
        return "first report of this event"
    parts = [f"{likely:.0%} likely the same", *_places(member, closest), *_judge(judge)]
    return f"first report of this event; not “{closest.title}”: " + ", ".join(parts)


def _places(one: Member, two: Member) -> list[str]:
    """Name the places that speak for or against."""
    table = places()
    towns = [number for number in one.places if table.country[number] != number]
    if shared := [number for number in towns if number in two.places]:
        return [f"both name {table.names[shared[0]]}"]
    mine, theirs = one.places[: one.main], two.places[: two.main]
    if not mine or not theirs:
        return []
    countries = {table.country[number] for number in two.places}
    name = f"{table.names[mine[0]]} here, {table.names[theirs[0]]} there"
    if not countries & {table.country[number] for number in one.places}:
        return [name]
    both_towns = mine[0] in towns and table.country[theirs[0]] != theirs[0]
    return [name] if both_towns and mine[0] != theirs[0] else []


def _judge(judge: float | None) -> list[str]:
    if judge is None:
        return []
    return ["the judge says one event" if judge > 0 else "the judge says two events"]
