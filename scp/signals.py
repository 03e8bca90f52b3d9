"""SIGTERM and SIGINT, for the main thread that waits for them."""

import queue
import signal
from types import FrameType

import structlog

log = structlog.get_logger()


class Termination:
    """From construction on, in the main thread, either signal is noted; `wait` tells of it.

    The handler takes no lock: it runs between any two instructions of the thread that waits, and with a
    threading.Event, or a line for the log, it could wait for what that thread holds, for ever. SimpleQueue.put is
    made for that.
    """

    def __init__(self) -> None:
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._is_told = False
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, self._note)

    def wait(self, seconds: float | None = None) -> bool:
        """True as soon as there was a signal, also one before; False after `seconds` without one."""
        if not self._is_told:
            try:
                number = self._signals.get(timeout=seconds)
            except queue.Empty:
                return False
            self._is_told = True
            log.info("stopping", signal=signal.Signals(number).name)
        return True

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signals.put(number)
