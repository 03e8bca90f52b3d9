"""An independent sender: a stream of four-view studies; an instance counts as received when it heard Success."""

import copy
import hashlib
import itertools
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import DigitalMammographyXRayImageStorageForPresentation

from phantoms.mammogram import four_views

SHAPES = ((256, 192), (272, 208), (288, 224))
"""Rows and columns in turn: what belongs to another study then lies elsewhere in the image."""

PATIENCE = 30.0


@dataclass
class SentStudy:
    """What was sent: `pixels` by SOP Instance UID, `received` when the last instance heard Success."""

    uid: str
    patient: str
    rows: int
    columns: int
    pixels: dict[str, str]
    received: float | None = None

    @property
    def instances(self) -> list[str]:
        return list(self.pixels)


@dataclass
class Sender:
    """Sends to `ports` in turn, and again until every instance has heard Success. Threads may share it."""

    ports: Sequence[int]
    studies: list[SentStudy] = field(default_factory=list)
    successes: list[tuple[float, int]] = field(default_factory=list)
    """When, and on which port."""
    repeats: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def send_one(self, stopping: threading.Event, port: int | None = None) -> None:
        """One new study; returns when all of it was received, or when stopping."""
        number = next(self._numbers)
        waiting = self._new_study(number)
        sent = SentStudy(
            str(waiting[0].StudyInstanceUID),
            f"FAULT{number:05d}",
            int(waiting[0].Rows),
            int(waiting[0].Columns),
            {str(ds.SOPInstanceUID): digest_of(ds) for ds in waiting},
        )
        self.studies.append(sent)
        port = port or self.ports[number % len(self.ports)]
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
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = PATIENCE
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
                self.successes.append((time.time(), port))
            else:
                left.append(ds)
        if assoc.is_established:
            assoc.release()
        return left

    def _new_study(self, number: int) -> list[Dataset]:
        """The same breasts under new UIDs, with noise of their own in the first rows of the background."""
        study, series = generate_uid(), generate_uid()
        made = copy.deepcopy(_template(*SHAPES[number % len(SHAPES)]))
        for view, ds in enumerate(made):
            ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = study, series, generate_uid()
            ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
            ds.PatientID = f"FAULT{number:05d}"
            noise = bytes(random.Random(4 * number + view).choices((0, 1, 2, 3), k=128))
            low_bytes = bytes(value if place % 2 == 0 else 0 for place, value in enumerate(noise))
            ds.PixelData = low_bytes + ds.PixelData[len(low_bytes) :]
        return made


@cache
def _template(rows: int, columns: int) -> list[Dataset]:
    return four_views(rows=rows, columns=columns)


def digest_of(ds: Dataset) -> str:
    """Of the pixels and of who they are of."""
    return hashlib.sha256(ds.PixelData + str(ds.PatientID).encode()).hexdigest()
