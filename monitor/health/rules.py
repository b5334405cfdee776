"""What is wrong right now: pure functions from what was measured to named findings.

Every rule errs on the side of quiet: a notice that is usually nothing teaches people to look away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.health.hourly_profile import HourlyProfile, known_hours, usual, whole_since
from monitor.model import FeedState
from monitor.polling.schedule import hour_of_week, items_per_day
from monitor.queue.hand_overs import QueueLook
from monitor.text import spelled_span


class Kind(StrEnum):
    """What a notice is about. The value labels `wirewatch_notices_total`."""

    FEED_SILENT = "feed_silent"
    FEED_FAILING = "feed_failing"
    FEEDS_OVERDUE = "feeds_overdue"
    FEEDS_UNSCHEDULED = "feeds_unscheduled"
    NETWORK_OUT = "network_out"
    TOPIC_QUIET = "topic_hush"  # the name that metrics and stored notices have
    TOPIC_BURST = "topic_burst"
    STAGE_STUCK = "stage_stuck"
    STAGE_MISSING = "stage_missing"
    MODEL_MISSING = "model_missing"
    CHANNEL_FAILING = "channel_failing"
    DEAD_LETTERS = "dead_letters"
    CONFIG_REFUSED = "config_refused"
    STORE_TROUBLED = "store_troubled"
    STORE_LOST = "store_lost"
    CANARY_LOST = "canary_lost"


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that is wrong: what kind, with what, in words that say what to look at."""

    kind: Kind
    subject: str
    text: str

    @property
    def key(self) -> str:
        """The same trouble has the same key from look to look."""
        return f"{self.kind.value}:{self.subject}"


# --- feeds

_SILENT_EXPECTED = 10.0  # so many items should have come: by chance none does once in 20,000
_SILENT_LEAST = 3 * 3600.0
_SILENT_LONGEST = 14 * 86400.0
_LEARNT = 8 * 86400.0  # every hour of the week has been met, weekends as well
_FADE_WEEKS = 4 / math.log(2)  # mean life of a count in the rhythm, in weeks
_FAILING_SINCE = 6 * 3600.0


def feed_health(state: FeedState) -> str:
    """Return "new", "ok", "failing" or "ended"."""
    if state.ended:
        return "ended"
    if state.failures:
        return "failing"
    return "ok" if state.last_success else "new"


def silent_feed(state: FeedState, now: float) -> HealthFinding | None:
    """Say when a feed that usually publishes has brought nothing new for much longer than usual.

    Judged by the feed's own rhythm: ten items should have come by now, allowing for nights and
    weekends, and none did although it was fetched well. What came since the last good fetch is not
    known, so silence lasts until then: the hours in which we did not run are not the feed's.
    """
    silence = state.last_success - state.last_item
    if (
        state.ended
        or state.failures
        or not state.last_item
        or silence < _SILENT_LEAST
        or now - state.started < _LEARNT
        or now - state.last_success > _SILENT_LEAST
    ):
        return None
    # A cheap bound first: no hour is worth summing if even ten times the mean would not do.
    if items_per_day(state, now) * (silence / 86400.0) * 10 < _SILENT_EXPECTED:
        return None
    since, until = state.last_item, min(state.last_success, state.last_item + _SILENT_LONGEST)
    if _missed(state, since, until) < _SILENT_EXPECTED:
        return None
    rate = items_per_day(state, since)
    return HealthFinding(
        Kind.FEED_SILENT,
        state.feed_id,
        f"feed {state.feed_id} usually brings {rate:.0f} stories a day and has brought none for "
        f"{spelled_span(silence)}; it answers, so look at {_short(state.url)}",
    )


def _missed(state: FeedState, since: float, until: float) -> float:
    """Return how surprising silence between two instants is, as the items that should have come.

    With `c` items counted in the same hours of `w` earlier weeks, the chance of none in a further
    week is (w / (w + 1)) ** c (Poisson with unknown rate); its negative logarithm adds up by hour.
    """
    weeks = _FADE_WEEKS * (1 - math.exp(-(until - state.started) / 604800.0 / _FADE_WEEKS))
    surprise = math.log((weeks + 1) / weeks)
    missed, at = 0.0, since
    while at < until and missed < _SILENT_EXPECTED:
        step = min(3600.0 - at % 3600.0, until - at)
        missed += state.rhythm[hour_of_week(at)] * surprise * step / 3600.0
        at += step
    return missed


def failing_feed(state: FeedState) -> HealthFinding | None:
    """Say when a feed that used to work has not been read for six hours and three tries.

    Counted up to the last try: of the time since then nothing is known.
    """
    if state.ended or state.failures < 3 or not state.last_success:
        return None
    down = state.last_poll - state.last_success
    if down < _FAILING_SINCE:
        return None
    return HealthFinding(
        Kind.FEED_FAILING,
        state.feed_id,
        f"feed {state.feed_id} has failed for {spelled_span(down)} ({state.last_reason}); "
        f"`wirewatch feeds inspect {state.feed_id}` shows what it answers",
    )


def feeds_overdue(oldest_due: float, overdue: int, now: float) -> HealthFinding | None:
    """Say when polling has fallen behind: the next feed should have been polled long ago."""
    late = now - oldest_due
    if not overdue or late < 300.0:
        return None
    return HealthFinding(
        Kind.FEEDS_OVERDUE,
        "polling",
        f"polling is behind: {overdue} feeds are due, the first for {spelled_span(late)}; "
        "see that a poller runs, or add one",
    )


def feeds_unscheduled(configured: int, scheduled: int) -> HealthFinding | None:
    """Say when feeds are configured that will never be polled: no work is not health."""
    if scheduled >= configured:
        return None
    return HealthFinding(
        Kind.FEEDS_UNSCHEDULED,
        "polling",
        f"{configured - scheduled} of {configured} feeds have no due time, so nobody polls them; "
        "see that a poller runs, and whether the store lost its data",
    )


def network_out(since: float, now: float) -> HealthFinding | None:
    """Say when most sites fail at once, so that the fault is ours."""
    if not since:
        return None
    lasting = f", for {spelled_span(now - since)} now" if now - since >= 60 else ""
    return HealthFinding(
        Kind.NETWORK_OUT,
        "polling",
        f"most sites fail at once{lasting}; all feeds are polled again when they answer",
    )


# --- topics

_TOPIC_LEARNT = 7 * 24.0
_QUIET_EXPECTED = 10.0
_QUIET_LONGEST = 72
_BURST_LEAST = 10
_BURST_TIMES = 4.0
_BURST_CHANCE = 1e-6


def odd_topic(
    topic: str, profile: HourlyProfile, last_match: float, now: float
) -> HealthFinding | None:
    """Say when a topic is unusually quiet, or fires far more than it usually does.

    Silence may be a gate that no longer fits or a feed that went away; a burst may be news, or a
    topic that is too broad. Either is worth a look. Needs a week of evidence, and is judged by
    hours that were looked at whole.
    """
    if known_hours(profile) < _TOPIC_LEARNT:
        return None
    this_hour = int(now // 3600)
    expected_now = usual(profile, this_hour) + usual(profile, this_hour - 1)
    count = profile.open_count if profile.open_hour == this_hour else 0
    if (
        this_hour >= whole_since(profile)
        and count >= _BURST_LEAST
        and count > _BURST_TIMES * expected_now
        and _poisson_at_least(count, expected_now) < _BURST_CHANCE
    ):
        usually = usual(profile, this_hour)
        return HealthFinding(
            Kind.TOPIC_BURST,
            topic,
            f"topic {topic} fired {count} times within the hour, usually {usually:.1f}; "
            "big news, or too broad: `wirewatch explain STORY` shows why one of them matched",
        )
    missed, hour = 0.0, this_hour - 1
    first = max(int(last_match // 3600) + 1, this_hour - _QUIET_LONGEST, whole_since(profile))
    while hour >= first:
        missed += usual(profile, hour)
        hour -= 1
    if missed < _QUIET_EXPECTED or not last_match:
        return None
    return HealthFinding(
        Kind.TOPIC_QUIET,
        topic,
        f"topic {topic} has been silent for {spelled_span(now - last_match)}; about {missed:.0f} "
        "stories would be usual: see its gates, and that its feeds still publish",
    )


def _poisson_at_least(count: int, mean: float) -> float:
    """Return the chance of `count` or more when `mean` is usual."""
    if mean <= 0:
        return 0.0
    below = sum(math.exp(-mean + n * math.log(mean) - math.lgamma(n + 1)) for n in range(count))
    return max(0.0, 1.0 - below)


# --- stages

_STUCK_SECONDS = 120.0


_STAGE_OF_QUEUE = {"stories": "embedder", "vectors": "triage"}


def stuck_stages(
    queues: Iterable[QueueLook], live: Mapping[str, int], expected: Sequence[str]
) -> list[HealthFinding]:
    """Say which stages are not running at all, and which run but do not get on.

    `live` counts fresh heartbeats by stage.
    """
    found = [
        HealthFinding(
            Kind.STAGE_MISSING,
            stage,
            f"no {stage} is running; start one (`wirewatch run --only {stage}`), its work waits",
        )
        for stage in expected
        if not live.get(stage)
    ]
    for queue in queues:
        stage = _STAGE_OF_QUEUE.get(queue.name, queue.name)
        if queue.depth and queue.oldest > _STUCK_SECONDS and live.get(stage):
            found.append(
                HealthFinding(
                    Kind.STAGE_STUCK,
                    queue.name,
                    f"the {stage} is behind: {queue.depth} wait in {queue.name}, the first for "
                    f"{spelled_span(queue.oldest)}; see its log, or run more of them",
                )
            )
    return found


def missing_model(embedders: int, ready: int, waiting: int, why: str = "") -> HealthFinding | None:
    """Say when no embedder has its model, be it that they run without or cannot start for it.

    `why` is the word that an embedder left when it could not load its model, or "".
    """
    if ready or not (embedders or why):
        return None
    return HealthFinding(
        Kind.MODEL_MISSING,
        "model",
        f"no embedder has its model loaded; {waiting} stories wait. "
        + (why or "Its log says why (embedding.model in wirewatch.yaml)"),
    )


# --- the way out

_TRIES = 3


def failing_channel(
    name: str, state: Mapping[str, str], waiting: int, oldest: float, now: float
) -> HealthFinding | None:
    """Say when a channel is broken, fails again and again, or lets notifications wait for long.

    `state` is what the notifier noted of the channel ("ok", "retrying" or "broken:REASON", and
    how many failures in a row); `oldest` is when the first one waiting was due, or 0.
    """
    status, late = state.get("state", "ok"), now - oldest if oldest else 0.0
    tried = _number(state.get("failures", "0"))
    if not status.startswith("broken") and tried < _TRIES and late < 300.0:
        return None
    said = [state.get("reason", ""), state.get("detail", "")] if status != "ok" else []
    why = ", ".join(part for part in said if part)
    return HealthFinding(
        Kind.CHANNEL_FAILING,
        name,
        f"channel {name} is {'behind' if status == 'ok' else status.partition(':')[0]}"
        f"{f' ({why})' if why else ''}; {waiting} notifications wait. "
        f"They are kept; `wirewatch test-alert --channel {name}` tries it",
    )


def dead_letters(waiting: int, before: int) -> HealthFinding | None:
    """Say when dead letters were added since the last look that somebody was told of."""
    if waiting <= before:
        return None
    return HealthFinding(
        Kind.DEAD_LETTERS,
        "dead",
        f"{waiting - before} more could not be processed and were set aside ({waiting} in all); "
        "`wirewatch dead list` names them with their reasons",
    )


# --- what it all stands on


def refused_config(problems: Sequence[str]) -> HealthFinding | None:
    """Say when the configuration on disk is not the one in force."""
    if not problems:
        return None
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return HealthFinding(
        Kind.CONFIG_REFUSED,
        "config",
        f"the configuration on disk is not in force: {problems[0]}{more}; "
        "`wirewatch check` lists every problem",
    )


def troubled_store(info: Mapping[str, object]) -> list[HealthFinding]:
    """Say what the store itself reports as wrong: persistence, memory. `info` is INFO's answer."""
    found = []
    if str(info.get("aof_enabled", "1")) == "0":
        found.append(("aof", "its append-only file was switched off: a crash would lose stories"))
    for name in ("aof_last_write_status", "aof_last_bgrewrite_status"):
        if str(info.get(name, "ok")) != "ok":
            found.append((name, "it cannot write its append-only file: is the disk full?"))
    limit, used = _number(info.get("maxmemory")), _number(info.get("used_memory"))
    if limit and used > 0.9 * limit:
        share = 100 * used / limit
        found.append(("memory", f"it has used {share:.0f} % of its memory; raise maxmemory"))
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        found.append(("policy", f"its eviction policy is {policy}: it forgets what was told"))
    return [HealthFinding(Kind.STORE_TROUBLED, name, f"the store: {text}") for name, text in found]


_LOSS_TOLD = 3600.0


def lost_store(loss: tuple[str, float] | None, now: float) -> HealthFinding | None:
    """Say for an hour that the store lost what it held; `loss` is what was lost, and when."""
    if loss is None or now - loss[1] > _LOSS_TOLD:
        return None
    return HealthFinding(Kind.STORE_LOST, "store", loss[0])


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _short(url: str) -> str:
    return url.partition("?")[0]
