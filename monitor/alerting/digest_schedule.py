"""Digests: when the next one is due, and which channels have one. Pure."""

from __future__ import annotations

from monitor.config.cron import next_time
from monitor.config.schema import Config, DigestPlan, Route


def next_digest(plan: DigestPlan, now: float) -> float:
    """Return when `plan` fires next, strictly after `now` (Unix seconds).

    Raises:
        ValueError: the five fields cannot be read, or never come true.
    """
    times = (f"{clock[3:]} {clock[:2]} * * *" for clock in plan.at)
    return min(next_time(cron, plan.timezone, now) for cron in (times if plan.at else (plan.cron,)))


def plans_by_channel(config: Config) -> dict[str, tuple[DigestPlan, ...]]:
    """Return the digest plans of the routing tree for each channel they send to."""
    found: dict[str, dict[DigestPlan, None]] = {}

    def walk(node: Route, plan: DigestPlan | None, channels: tuple[str, ...]) -> None:
        plan, channels = node.digest or plan, node.to or channels
        if plan is not None:
            for channel in channels or tuple(config.channels):
                found.setdefault(channel, {})[plan] = None
        for child in node.routes:
            walk(child, plan, channels)

    walk(config.route, None, ())
    return {channel: tuple(plans) for channel, plans in found.items()}
