"""A real listener on a free port of loopback, with a spool of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.listener import Listener
from peers import ports
from peers.answering_pacs import Pacs
from scp.server import StorageServer
from scp.spool import Spool


@dataclass
class Listening:
    """A listener that runs in this process."""

    server: StorageServer
    spool: Spool
    port: int

    @property
    def files(self) -> list[Path]:
        """Every kept version of every instance."""
        return sorted(self.spool.studies.glob("*/*.dcm"))

    @property
    def arriving(self) -> list[Path]:
        """Temporary files."""
        return list(self.spool.incoming.iterdir())

    @property
    def associations(self) -> int:
        """Associations that are alive, in whatever state."""
        return len(self.server._server.active_associations)


@pytest.fixture
def free_port() -> int:
    """A port of loopback on which nobody listens."""
    return ports.free_port()


@pytest.fixture
def listen(tmp_path: Path, free_port: int) -> Iterator[Callable[..., Listening]]:
    """Start a listener: `listen(idle_timeout=1.0, ...)` with settings of [listener]."""
    started: list[Listening] = []

    def start(contexts: Any = (), handlers: Any = (), **settings: Any) -> Listening:
        listener = Listener(**{"bind": "127.0.0.1", "port": free_port, "free_space": 0, **settings})
        spool = Spool(tmp_path / "spool", "receiver", listener.free_space, listener.maximum_dataset)
        server = StorageServer(listener, spool, contexts, handlers)
        started.append(Listening(server, spool, server.port))
        return started[-1]

    yield start
    for listening in started:
        listening.server.stop(0)


@pytest.fixture
def pacs() -> Iterator[Callable[..., Pacs]]:
    made: list[Pacs] = []

    def make(*arguments: Any, **options: Any) -> Pacs:
        made.append(Pacs(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
