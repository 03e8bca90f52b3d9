"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    happened: Callable[[], T], seconds: float = 60.0, what: str = "", instead: Callable[[], object] | None = None
) -> T:
    """The first true value of `happened`.

    Raises TimeoutError, with `what` went wrong and what is there `instead`, when there is none in time.
    """
    deadline = time.monotonic() + seconds
    while not (value := happened()):
        if time.monotonic() > deadline:
            found = f": {instead()}" if instead else ""
            raise TimeoutError((what or f"{happened} did not happen within {seconds} s") + found)
        time.sleep(0.05)
    return value
