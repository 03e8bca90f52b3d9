"""A PACS that answers what it is told to answer."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views


class Pacs:
    """Answers each C-STORE with the next of `statuses`, and 0x0000 when they are used up."""

    def __init__(
        self, statuses: Sequence[int] = (), contexts: Any = None, before: Callable[..., None] | None = None
    ) -> None:
        self.statuses = deque(statuses)
        self.received: list[str] = []
        self.associations = 0
        self._before = before
        ae = AE(ae_title="PACS")
        ae.supported_contexts = AllStoragePresentationContexts if contexts is None else []
        for abstract, syntax in contexts or ():
            ae.add_supported_context(abstract, syntax)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_ESTABLISHED, self._established)]
        self._server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()

    def _established(self, _event: evt.Event) -> None:
        self.associations += 1

    def _store(self, event: evt.Event) -> int:
        if self._before is not None:
            self._before(event)
        status = self.statuses.popleft() if self.statuses else 0x0000
        if status in (0x0000, 0xB000, 0x0111):
            self.received.append(str(event.dataset.SOPInstanceUID))
        return status


def bench_with(folder: Path, port: int, **destination: Any) -> tuple[Bench, str]:
    """A node with this PACS as its destination `pacs`, and a study that waits to be delivered."""
    table = {"name": "pacs", "host": "127.0.0.1", "port": port, "connect_timeout": 2.0, **destination}
    bench = Bench(settings_for(folder, [table]))
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    return bench, study
