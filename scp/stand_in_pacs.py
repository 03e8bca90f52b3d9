"""A PACS for the demonstration: a storage SCP that keeps what it gets, for nothing but that."""

import threading
from collections.abc import Sequence
from pathlib import Path

from pydicom.uid import UID
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import by pynetdicom


class StandInPacs:
    """Listens on a free port of loopback and writes each instance to `folder` as Modality-SOPInstanceUID.dcm."""

    ae_title = "DEMOPACS"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arrived = threading.Condition()
        folder.mkdir(parents=True, exist_ok=True)
        ae = AE(ae_title=self.ae_title)
        ae.supported_contexts = [*AllStoragePresentationContexts, build_context(Verification)]
        handlers: list[evt.EventHandlerType] = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_ECHO, self._echo)]
        server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None, "only a blocking server is None"
        self._server = server
        self.port: int = self._server.server_address[1]

    def _store(self, event: evt.Event) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        with self._arrived:
            ds.save_as(self.folder / f"{ds.Modality}-{UID(ds.SOPInstanceUID)}.dcm", enforce_file_format=True)
            self._arrived.notify_all()
        return 0x0000

    def _echo(self, _event: evt.Event) -> int:
        return 0x0000

    @property
    def objects(self) -> Sequence[Path]:
        """What has been stored so far."""
        return sorted(self.folder.glob("*.dcm"))

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
