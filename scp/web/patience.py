"""HTTP with an end to waiting: uvicorn waits for the rest of a request as long as the connection lasts."""

import asyncio
from typing import Any

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

log = structlog.get_logger(__name__)

WAIT = 30.0
"""Seconds without a byte from a client that owes a request, or the rest of one."""


class PatientProtocol(H11Protocol):
    """A connection that is closed when its client stops in the middle of a request, or never begins one."""

    _heard = 0.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as upstream
        """As upstream."""
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._look()

    def data_received(self, data: bytes) -> None:
        """As upstream."""
        self._heard = self.loop.time()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """As upstream."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        cycle: Any = self.cycle
        owes = cycle is None or cycle.response_complete or (cycle.more_body and not self.flow.read_paused)
        if not owes:
            self._heard = self.loop.time()
        left = self._heard + WAIT - self.loop.time()
        if left <= 0:
            log.debug("connection closed: nothing came", address=self.client[0] if self.client else "")
            self.transport.abort()
            return
        self._timer = self.loop.call_later(min(left + 0.01, WAIT / 4), self._look)
