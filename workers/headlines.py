"""What the notifier needs so that alerts in other languages can be read."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.analysis.archive import AnalysisStore
from monitor.config.services import TranslationSettings
from monitor.languages.readable import Readable
from monitor.languages.translate import Translator
from monitor.model import Notification, Story
from monitor.store.asked import AskedStore
from workers.runtime import Runtime

_REPORTS = 60  # newest stories of an event that are looked through


class Headlines:
    """Makes notifications readable by the configuration in force.

    Args:
        runtime: what the process stands on.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._archive = AnalysisStore.of(runtime.store, runtime.config)
        self._translator: Translator | None = None

    async def fill_in(self, notification: Notification) -> Notification:
        """Return the notification with headlines that the newsroom can read."""
        config = self._runtime.config
        translator = await self._service(config.translation)
        readable = Readable(
            config.ops.languages or ("en",),
            self._reports,
            translator.headline if translator else None,
            config.translation.deadline,
        )
        return await readable(notification)

    async def aclose(self) -> None:
        """Close connections to the translation service."""
        if self._translator is not None:
            await self._translator.aclose()

    async def _service(self, settings: TranslationSettings) -> Translator | None:
        """Return the service of the settings; what it was refused stays known while they last."""
        old = self._translator
        if old is None or old.settings != settings:
            store, keys, clock = self._runtime.store, self._runtime.keys, self._runtime.clock
            asked = AskedStore(store, keys, "translation")
            self._translator = Translator(settings, asked, clock) if settings.url else None
            if old is not None:
                await old.aclose()
        return self._translator

    async def _reports(self, event: str) -> Sequence[Story]:
        names = (await self._archive.members(event))[-_REPORTS:]
        return [story async for story, _ in self._archive.headlines(names)]
