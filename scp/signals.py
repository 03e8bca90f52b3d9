"""SIGTERM and SIGINT, for the main thread that waits for them."""

import select
import signal
import socket
from types import FrameType

import structlog

log = structlog.get_logger()


class Termination:
    """From construction on, in the main thread, either signal is noted; `wait` tells of it.

    The note is a byte in a socket, written by the interpreter's own handler in whichever thread the system gives
    the signal to. A Python handler runs in the main thread only, and a main thread that waits for a lock (as in
    threading.Event.wait) is not woken when another thread got the signal: the process would live on for ever.
    """

    def __init__(self) -> None:
        self._notes, self._noted = socket.socketpair()
        self._noted.setblocking(False)
        self._is_told = False
        signal.set_wakeup_fd(self._noted.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, _nothing_more)
        signal.signal(signal.SIGINT, _nothing_more)

    def wait(self, seconds: float | None = None) -> bool:
        """True as soon as there was a signal, also one before; False after `seconds` without one."""
        if not self._is_told:
            if not select.select([self._notes], [], [], seconds)[0]:
                return False
            self._is_told = True
            log.info("stopping", signal=signal.Signals(self._notes.recv(1)[0]).name)
        return True


def _nothing_more(_number: int, _frame: FrameType | None) -> None:
    """The note is written. A lock taken here, be it the log's, could be one that this thread holds already."""
