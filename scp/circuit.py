"""Whether a destination is there, as this process has last found it.

While it is away, one delivery at a time tries it, and the others wait for what that one finds: a dead PACS costs one
thread and one timeout a retry, however many studies wait for it. It delays no other destination.
"""

import threading
import time

from config.destinations import Delivery
from inference.results import Reason

UNREACHABLE = "unreachable"
"""Code of a trouble that is the destination's, not an object's: no connection, no association, no answer."""


class Circuit:
    """Of one destination. Times are of the monotonic clock, in seconds."""

    def __init__(self, settings: Delivery) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_until = 0.0
        self._trying = False
        self.reason: Reason | None = None

    def admit(self) -> float | None:
        """None: go on, `note` how it went, and `end`. Else in how many seconds to ask again."""
        with self._lock:
            left = self._closed_until - time.monotonic()
            if self._failures == 0:
                return None
            if self._trying or left > 0:
                # whoever gets through wakes the rest; this is for the case that nobody does
                return max(left, self._delay()) if self._trying else left
            self._trying = True
            return None

    def note(self, trouble: Reason | None) -> None:
        """How an attempt went, admitted or not."""
        with self._lock:
            if trouble is None or trouble.code != UNREACHABLE:
                self._failures, self._closed_until, self.reason = 0, 0.0, None
                return
            self._failures += 1
            self.reason = trouble
            self._closed_until = time.monotonic() + self._delay()

    def end(self) -> None:
        """The attempt is over, whatever became of it."""
        with self._lock:
            self._trying = False

    def _delay(self) -> float:
        return pause(self._settings, self._failures)


def pause(settings: Delivery, failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, up to delivery.longest_retry."""
    return min(settings.longest_retry, settings.first_retry * 2.0 ** min(max(0, failures - 1), 20))
