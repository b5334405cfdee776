"""A headline the newsroom can read, beside one it cannot.

First choice is a report of the same event by an outlet that writes in the newsroom's language: a
journalist's words. Only where there is none, a translation service is asked, if there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from monitor.config.languages import language_codes, language_name, speaks
from monitor.model import MACHINE, Alert, Notification, Story
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact

LOOK_UP = 1.0  # seconds for reports of the same event; the store answers in milliseconds
MOST = 20  # alerts of a digest that are translated

log = get_logger(__name__)

# An event -> its stories, newest last. A headline, its language, ours -> ours, or "".
Reports = Callable[[str], Awaitable[Sequence[Story]]]
Translate = Callable[[str, str, str], Awaitable[str]]


@dataclass(frozen=True)
class Readable:
    """Fills in what the newsroom needs to read alerts in other languages.

    Args:
        languages: those the newsroom reads, the first is the one to translate into.
        reports: finds the stories of an event.
        translate: the translation service, if there is one.
        deadline: seconds that translations of one notification may take together.
    """

    languages: tuple[str, ...]
    reports: Reports
    translate: Translate | None = None
    deadline: float = 3.0

    async def __call__(self, notification: Notification) -> Notification:
        """Return the notification with headlines to read. Never raises, never takes long."""
        alerts = [one for one in (notification.alert, *notification.alerts) if one is not None]
        foreign = [one for one in alerts if self._is_foreign(one)]
        if not foreign:
            return notification
        found = {one.id: replace(one, foreign=_name(one)) for one in foreign}
        await self._within(LOOK_UP, self._from_reports(found))
        if self.translate is not None:
            await self._within(self.deadline, self._from_service(found))
        return replace(
            notification,
            alert=found.get(notification.alert.id, notification.alert)
            if notification.alert
            else None,
            alerts=tuple(found.get(one.id, one) for one in notification.alerts),
        )

    def _is_foreign(self, alert: Alert) -> bool:
        spoken = alert.story.language
        return bool(spoken) and not speaks(spoken, self.languages)

    async def _within(self, seconds: float, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(seconds):
                await work
        except TimeoutError:
            log.info("headlines_not_found_in_time", seconds=seconds)
        except Exception as error:  # an alert is told with or without it
            log.warning("headlines_not_found", error=redact(repr(error)))

    async def _from_reports(self, found: dict[str, Alert]) -> None:
        """Take the headline of the latest report that the newsroom can read."""
        for name, alert in list(found.items()):
            for story in reversed(await self.reports(alert.event)):
                if story.id != alert.story.id and speaks(story.language, self.languages):
                    outlet = story.source or story.feed_id
                    found[name] = replace(alert, gist=story.title, gist_from=outlet)
                    break

    async def _from_service(self, found: dict[str, Alert]) -> None:
        assert self.translate is not None
        for name, alert in list(found.items())[:MOST]:
            if not alert.gist:
                code = language_codes(alert.story.language)[0]
                said = await self.translate(alert.story.title, code, self.languages[0])
                if said:
                    found[name] = replace(alert, gist=said, gist_from=MACHINE)


def _name(alert: Alert) -> str:
    codes = language_codes(alert.story.language)
    return language_name(codes[0]) if codes else alert.story.language
