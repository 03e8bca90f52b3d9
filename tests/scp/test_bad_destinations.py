"""A destination on a bad day: each attempt ends in time, says why, and is told from a refused object."""

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from config.destinations import Destination
from peers import bad_pacs
from phantoms.mammogram import mammogram
from scp.cstore import send
from scp.outcome import Outcome, Parcel


def _parcels(folder: Path, *sizes: int) -> list[Parcel]:
    """Secondary captures of so many bytes."""
    made = []
    for number, size in enumerate(sizes):
        ds: Dataset = mammogram(rows=16, columns=16)
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.Rows, ds.Columns, ds.PixelData = size // 2048, 1024, bytes(size)
        ds.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        made.append(Parcel(folder / f"{number}.dcm", str(ds.SOPClassUID), str(ds.SOPInstanceUID)))
    return made


def _sent(port: int, parcels: list[Parcel], **destination: Any) -> Outcome:
    values = {"connect_timeout": 30.0, "response_timeout": 1.0, **destination}
    return send(Destination(name="pacs", host="127.0.0.1", port=port, **values), "MAMMONODE", parcels)


@pytest.mark.parametrize(
    ("peer", "says"),
    [
        (bad_pacs.black_hole, "does not answer"),
        (bad_pacs.silent, "does not answer"),
        (bad_pacs.answers_nothing, "gave no answer"),
        (bad_pacs.stops_reading, "gave no answer"),
        (bad_pacs.aborts, "gave no answer"),
    ],
)
def test_an_attempt_ends_in_time_and_says_why(tmp_path: Path, peer: Any, says: str) -> None:
    place: AbstractContextManager[int] = peer()
    # more than the buffers between two sockets of loopback hold, where the window is to fill
    size = 8 << 20 if peer is bad_pacs.stops_reading else 1 << 14
    connect = 1.0 if peer in (bad_pacs.black_hole, bad_pacs.silent) else 30.0
    with place as port:
        began = time.monotonic()
        outcome = _sent(port, _parcels(tmp_path, size), connect_timeout=connect)
        assert time.monotonic() - began < 60.0
    assert (outcome.stored, outcome.retry) == ((), "soon")
    assert outcome.trouble is not None
    assert outcome.trouble.code == "unreachable"
    assert says in outcome.trouble.text


def test_a_connection_that_is_closed_after_each_object_carries_one_an_attempt(tmp_path: Path) -> None:
    parcels = _parcels(tmp_path, *[1 << 14] * 3)
    with bad_pacs.closes() as port:
        left, attempts = parcels, 0
        while left:
            outcome = _sent(port, left)
            assert outcome.stored
            left = [item for item in left if item.sop_instance_uid not in outcome.stored]
            attempts += 1
    assert attempts <= 3


def test_a_slow_link_is_no_silence(tmp_path: Path) -> None:
    """2 MB at 1 MB/s take longer than the time in which an answer is waited for."""
    parcels = _parcels(tmp_path, 2 << 20)
    with bad_pacs.pacs() as behind, bad_pacs.slowly(behind, 1e6) as port:
        began = time.monotonic()
        outcome = _sent(port, parcels)
        assert time.monotonic() - began > 1.5
    assert outcome == Outcome((parcels[0].sop_instance_uid,))


def test_an_attempt_that_nobody_wants_any_more_ends_at_once(tmp_path: Path) -> None:
    wanted = threading.Event()
    wanted.set()
    with bad_pacs.answers_nothing() as port:
        threading.Timer(0.2, wanted.clear).start()
        began = time.monotonic()
        destination = Destination(name="pacs", host="127.0.0.1", port=port, response_timeout=60.0)
        outcome = send(destination, "MAMMONODE", _parcels(tmp_path, 1000, 1000), wanted.is_set)
        assert time.monotonic() - began < 30.0
    assert outcome.stored == ()
