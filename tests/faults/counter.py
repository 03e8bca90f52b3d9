"""An independent destination: counts what it is given. `python counter.py AE_TITLE PORT LOG`.

Each line of the log is one C-STORE: time, Study and SOP Instance UID, SOP class, Patient ID, digest of the data set,
SOP Instance UIDs it refers to, and where in the image it marks something. The line is on disk before Success is said.
"""

import hashlib
import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    Comprehensive3DSRStorage,
    MammographyCADSRStorage,
    SegmentationStorage,
    Verification,
)

lock = threading.Lock()


def referenced(ds: Dataset) -> list[str]:
    """Every Referenced SOP Instance UID in a data set."""
    found = set()
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                found.update(referenced(item))
        elif element.keyword == "ReferencedSOPInstanceUID":
            found.add(str(element.value))
    return sorted(found)


def boxes(ds: Dataset) -> list[list[float]]:
    """The outermost points of each polyline of a report, or of the pixels that a segmentation marks."""
    if ds.SOPClassUID == SegmentationStorage:
        y, x = np.nonzero(ds.pixel_array.reshape(-1, ds.Rows, ds.Columns).any(axis=0))
        return [[float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1)]] if x.size else []
    outlines = [e.value for e in ds.iterall() if e.keyword == "GraphicData" and len(e.value) > 2]
    return [[min(line[::2]), min(line[1::2]), max(line[::2]), max(line[1::2])] for line in outlines]


def store(event: evt.Event, log: int) -> int:
    """C-STORE."""
    content = event.request.DataSet.getvalue()
    ds = event.dataset
    ds.file_meta = event.file_meta
    line = {
        "at": time.time(),
        "study": str(ds.StudyInstanceUID),
        "instance": str(ds.SOPInstanceUID),
        "sop_class": str(ds.SOPClassUID),
        "patient": str(ds.PatientID),
        "sha256": hashlib.sha256(content).hexdigest(),
        "references": referenced(ds),
        "boxes": boxes(ds),
    }
    with lock:
        os.write(log, (json.dumps(line) + "\n").encode())
        os.fsync(log)
    return 0x0000


def main() -> None:
    ae_title, port, path = sys.argv[1:]
    log = os.open(Path(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    ae = AE(ae_title=ae_title)
    ae.maximum_associations = 50
    for sop_class in (MammographyCADSRStorage, Comprehensive3DSRStorage, SegmentationStorage, Verification):
        ae.add_supported_context(sop_class)
    ae.start_server(("127.0.0.1", int(port)), evt_handlers=[(evt.EVT_C_STORE, store, [log])])


if __name__ == "__main__":
    main()
