"""An independent sender: a stream of four-view studies; an instance counts as received when it heard Success."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import DigitalMammographyXRayImageStorageForPresentation

from phantoms.mammogram import four_views


@dataclass
class SentStudy:
    """What was sent: `received` is when the last of its instances heard Success."""

    uid: str
    patient: str
    instances: list[str]
    received: float | None = None


@dataclass
class Sender:
    """Sends to `ports` in turn, and again until every instance has heard Success."""

    ports: Sequence[int]
    studies: list[SentStudy] = field(default_factory=list)
    successes: list[float] = field(default_factory=list)
    repeats: int = 0
    _template: list[Dataset] = field(default_factory=lambda: four_views(rows=256, columns=192))

    def send_one(self, stopping: threading.Event) -> None:
        """One new study; returns when all of it was received, or when stopping."""
        number = len(self.studies) + 1
        datasets = self._new_study(number)
        sent = SentStudy(
            str(datasets[0].StudyInstanceUID), f"FAULT{number:05d}", [ds.SOPInstanceUID for ds in datasets]
        )
        self.studies.append(sent)
        waiting = datasets
        port = self.ports[number % len(self.ports)]
        while waiting and not stopping.is_set():
            waiting = self._send(waiting, port)
            if waiting:
                self.repeats += 1
                stopping.wait(0.2)
        if not waiting:
            sent.received = time.time()

    def _send(self, datasets: Sequence[Dataset], port: int) -> list[Dataset]:
        """Those that did not hear Success."""
        ae = AE(ae_title="MODALITY")
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
        ae.add_requested_context(DigitalMammographyXRayImageStorageForPresentation)
        assoc = ae.associate("127.0.0.1", port, ae_title="MAMMONODE")
        left = []
        for ds in datasets:
            status = None
            if assoc.is_established:
                try:
                    status = assoc.send_c_store(ds).get("Status")
                except (RuntimeError, ValueError):  # the listener was killed meanwhile
                    status = None
            if status == 0x0000:
                self.successes.append(time.time())
            else:
                left.append(ds)
        if assoc.is_established:
            assoc.release()
        return left

    def _new_study(self, number: int) -> list[Dataset]:
        study, series = generate_uid(), generate_uid()
        for ds in self._template:
            ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = study, series, generate_uid()
            ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            ds.PatientID = f"FAULT{number:05d}"
        return self._template
