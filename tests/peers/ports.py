"""Ports for peers and nodes that must be told theirs before they start."""

import itertools
import os
import socket

FIRST, COUNT = 20_000, 12_000
"""Below the range from which the system gives ports to clients: none of them can take one in between."""
# tests run side by side in processes of their own, so each begins elsewhere
_numbers = itertools.count(os.getpid() * 101)


def free_port() -> int:
    """A port of loopback that nobody listens on; never the same twice."""
    while True:
        port = FIRST + next(_numbers) % COUNT
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
