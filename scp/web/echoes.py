"""The last C-ECHO of each destination: tried now and then, and when an operator asks."""

import asyncio
import time
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from config.settings import Settings
from scp import operations

INTERVAL = 300.0
"""Seconds between rounds: seldom enough not to fill a PACS's log."""


@dataclass(frozen=True)
class Echo:
    """One answer, or its lack. `at` is seconds since 1970."""

    ok: bool
    text: str
    at: float


class Echoes:
    """Remembers the last echo by destination name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.last: dict[str, Echo] = {}

    def try_now(self, destination: str) -> Echo:
        """Ask one destination and remember what it said."""
        answer = operations.echo(self._settings, destination)
        echo = Echo(answer["ok"], answer["message"], time.time())
        self.last[destination] = echo
        return echo

    async def keep_trying(self) -> None:
        """Ask every destination, again and again, until cancelled."""
        while True:
            for destination in self._settings.destinations:
                await run_in_threadpool(self.try_now, destination.name)
            await asyncio.sleep(INTERVAL)
