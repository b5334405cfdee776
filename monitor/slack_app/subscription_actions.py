"""`subscribe`, `subscriptions`, `unsubscribe`: what they do, and what they answer (as mrkdwn)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monitor.alerting.subscription_store import SubscriptionStore
from monitor.clock import Clock
from monitor.config.schema import Config
from monitor.config.subscription_schema import StoredSubscription
from monitor.delivery.channels.slack_blocks import escape
from monitor.delivery.outbox import OutboxStore
from monitor.reasons import SuppressionReason
from monitor.slack_app.payloads import Asked
from monitor.slack_app.subscription_command import MOST_PAUSES, read, take_pause, written
from monitor.store.commands import Redis
from monitor.store.keys import Keys

VERBS = ("subscribe", "subscriptions", "unsubscribe")
FOLLOWED = 2.0  # seconds after which every notifier knows of a change
_HELP = """\
What you subscribe to comes to you alone, as a direct message:
`subscribe all from major` – whatever is major or graver, at once
`subscribe energy-* shipping digest 08:00,18:00 in Europe/London` – two topics, twice a day
`subscribe all paused 22:00-07:00` – not at night; what comes meanwhile follows as one digest
`subscribe pause 2026-12-24 to 2027-01-02` – hold all of yours (`pause 7 …`: that one)
`subscribe resume` – take pauses back; what was held comes now
`subscriptions` – what you have
`unsubscribe 7` or `unsubscribe all`
Levels: routine, notable, major, flash. `topics` lists the topics."""

Mine = dict[str, StoredSubscription]


class SubscriptionActions:
    """Does what people ask for about their own subscriptions; nobody can touch another's.

    Args:
        config: returns the configuration in force.
        client: the store.
        keys: key names.
        clock: time.
    """

    def __init__(
        self, config: Callable[[], Config], client: Redis, keys: Keys, clock: Clock
    ) -> None:
        self._config = config
        self._store = SubscriptionStore(client, keys)
        self._outbox = OutboxStore(client, keys)
        self._clock = clock

    async def answer(self, verb: str, rest: str, asked: Asked) -> str:
        """Do it and say so. What is wrong is answered with what to write."""
        if not asked.user:
            return "Slack did not say who you are; please use the slash command."
        words = rest.split()
        try:
            if verb == "subscriptions":
                return await self._list(asked)
            if verb == "unsubscribe":
                return await self._end(words, asked)
            if not words or words[0].casefold() == "help":
                return _HELP
            if words[0].casefold() == "pause":
                return await self._pause(words[1:], asked)
            if words[0].casefold() == "resume":
                return await self._resume(words[1:], asked)
            return await self._begin(rest, asked)
        except ValueError as error:
            said = str(error)
            return escape(f"{said[:1].upper()}{said[1:]}{'' if said.endswith('?') else '.'}")

    async def _begin(self, text: str, asked: Asked) -> str:
        settings = read(text, self._config())
        new = StoredSubscription(
            slack=asked.user, via=asked.via, by=asked.by, made=self._clock.now(), **settings
        )
        for name, one in (await self._mine(asked)).items():
            if written(one) == written(new):
                return f"You have that already: {self._line(name, one)}"
        name = await self._store.add(new)
        return (
            f"Subscribed: {self._line(name, new)}\nIt comes to you as a direct message. "
            f"Undo: `unsubscribe {name[1:]}`"
        )

    async def _list(self, asked: Asked) -> str:
        lines = [f"• {self._line(name, one)}" for name, one in (await self._mine(asked)).items()]
        lines += [
            f"• `{name}` {escape(written(one))} (set by the newsroom, in wirewatch.yaml)"
            for name, one in self._config().subscriptions.items()
            if one.slack == asked.user
        ]
        return "\n".join(lines) or f"You have no subscriptions.\n{_HELP}"

    async def _end(self, words: list[str], asked: Asked) -> str:
        if len(words) != 1:
            return "Say which: `unsubscribe 7` or `unsubscribe all`; `subscriptions` lists yours."
        chosen = await self._chosen([] if words[0].casefold() == "all" else words, asked)
        for name, one in chosen.items():
            await self._change(name, one, ended=self._clock.now())
        await self._let_go(chosen)
        ended = "\n".join(f"• {self._line(name, one)}" for name, one in chosen.items())
        return f"Ended. What already waits for you still comes.\n{ended}"

    async def _pause(self, words: list[str], asked: Asked) -> str:
        number = [words.pop(0)] if words and words[0].lstrip("#").isdigit() else []
        pause = str(take_pause(words))
        if words:
            raise ValueError(f'"{" ".join(words)[:60]}" does not belong to a pause')
        chosen = await self._chosen(number, asked)
        if any(
            len(one.paused) >= MOST_PAUSES and pause not in one.paused for one in chosen.values()
        ):
            raise ValueError(
                f"a subscription has {MOST_PAUSES} pauses at most; resume takes them back"
            )
        lines = []
        for name, one in chosen.items():
            paused = tuple(dict.fromkeys((*one.paused, pause)))
            lines.append(f"• {self._line(name, await self._change(name, one, paused=paused))}")
        said = "\n".join(lines)
        return f"Paused {pause}; what comes meanwhile follows as one digest.\n{said}"

    async def _resume(self, words: list[str], asked: Asked) -> str:
        chosen = await self._chosen(words[:1], asked)
        lines = [
            f"• {self._line(name, await self._change(name, one, paused=()))}"
            for name, one in chosen.items()
        ]
        await self._let_go(chosen)
        return "\n".join(["No longer paused.", *lines])

    async def _change(
        self, name: str, one: StoredSubscription, **changes: Any
    ) -> StoredSubscription:
        new = one.model_copy(update=changes)
        await self._store.put(name, new)
        return new

    async def _let_go(self, chosen: Mine) -> None:
        """Have what a pause held looked at again: it goes, unless something else holds it."""
        held = (SuppressionReason.PAUSED.value, SuppressionReason.QUIET_HOURS.value)
        for channel in {one.recipient for one in chosen.values()}:
            await self._outbox.look_again(channel, held, self._clock.now() + FOLLOWED)

    async def _mine(self, asked: Asked) -> Mine:
        found = (await self._store.all()).items()
        return {name: one for name, one in found if one.slack == asked.user and not one.is_over}

    async def _chosen(self, words: list[str], asked: Asked) -> Mine:
        """Return the asker's subscription of a number, or all of them where no number is given.

        Raises:
            ValueError: there is none.
        """
        mine = await self._mine(asked)
        if not words:
            if not mine:
                raise ValueError("you have no subscriptions that were made in Slack")
            return mine
        name = f"#{words[0].lstrip('#')}"
        if name in mine:
            return {name: mine[name]}
        if words[0] in self._config().subscriptions:
            raise ValueError(f'"{words[0]}" stands in wirewatch.yaml; ask whoever looks after it')
        numbers = ", ".join(one[1:] for one in mine) or "none"
        raise ValueError(f'you have no subscription "{words[0][:20]}"; yours: {numbers}')

    def _line(self, name: str, one: StoredSubscription) -> str:
        zone = "" if one.timezone else f" ({self._config().ops.timezone})"
        timed = zone if one.digest or one.paused else ""
        return f"`{name[1:]}` {escape(written(one))}{timed}"
