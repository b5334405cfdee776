"""What the notifier needs to sum up a long event where a desk has configured a language model."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from monitor.config.services import LanguageModelSettings
from monitor.history.history_store import HistoryStore
from monitor.history.records import event_lines
from monitor.languages.recap import MOST, Recaps
from monitor.model import Alert, Notification
from monitor.observability.logs import get_logger
from monitor.observability.redact import redact
from monitor.store.asked import AskedStore
from workers.runtime import Runtime

log = get_logger(__name__)


class EventRecaps:
    """Adds a recap to updates by the configuration in force.

    Args:
        runtime: what the process stands on.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._history = HistoryStore(runtime.store, runtime.keys)
        self._recaps: Recaps | None = None

    async def fill_in(self, notification: Notification) -> Notification:
        """Return an update with what its event comes to by now. Never raises, never takes long."""
        alert = notification.alert
        recaps = await self._service(self._runtime.config.language_model)
        if recaps is None or alert is None or notification.kind != "update":
            return notification
        try:
            async with asyncio.timeout(recaps.settings.deadline):
                return replace(notification, alert=await self._with_recap(recaps, alert))
        except TimeoutError:
            log.info("language_model_late", seconds=recaps.settings.deadline)
        except Exception as error:  # an alert is told with or without it
            log.warning("language_model_failed", error=redact(repr(error)))
        return notification

    async def _with_recap(self, recaps: Recaps, alert: Alert) -> Alert:
        kept = await self._history.event(alert.event)
        lines = event_lines(kept.stories)[-MOST:] if kept else []
        language = (self._runtime.config.ops.languages or ("en",))[0]
        said = await recaps.of([(line.outlet, line.text) for line in lines], language)
        outlets = tuple(dict.fromkeys(line.outlet for line in lines if line.outlet))
        return replace(alert, recap=said, recap_of=outlets) if said else alert

    async def _service(self, settings: LanguageModelSettings) -> Recaps | None:
        old = self._recaps
        if old is None or old.settings != settings:
            store, keys, clock = self._runtime.store, self._runtime.keys, self._runtime.clock
            wanted = settings.url is not None and settings.recaps
            asked = AskedStore(store, keys, "language_model")
            self._recaps = Recaps(settings, asked, clock) if wanted else None
            if old is not None:
                await old.aclose()
        return self._recaps

    async def aclose(self) -> None:
        """Close connections to the model."""
        if self._recaps is not None:
            await self._recaps.aclose()
