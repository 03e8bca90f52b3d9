"""How the C library (glibc) keeps memory that is free.

An association of the receiver has two threads, and a thread may get an arena of its own. What ended associations have
freed is then spread over many arenas, none of them empty: after some thousands of associations the process was 15 MiB
larger, with nothing in it. The worker holds what loading its networks took. Other C libraries have neither call.
"""

import ctypes

M_ARENA_MAX = -8  # malloc.h
ARENAS = 1
"""With two, the second kept 2 to 4 MiB more after some thousands of associations."""


def use_few_arenas() -> None:
    """For this process, from now on. Only one thread at a time runs Python anyhow."""
    limit = getattr(ctypes.CDLL(None), "mallopt", None)
    if limit is not None:
        limit(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Let the system have the pages that are free."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
