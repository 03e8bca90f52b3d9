"""Receiving: full-size and small objects, one and four associations, with and without the sender's TCP_NODELAY."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from pydicom.uid import generate_uid
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ, A_RELEASE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    A_RELEASE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)

from benchmarks import receivers
from benchmarks.options import Options
from benchmarks.receivers import Receiver, clean_environment, which
from benchmarks.rows import Reach, Row, Samples, seconds
from phantoms.mammogram import mammogram

Start = Callable[[Path], AbstractContextManager[Receiver]]

MEGABYTE = 1e6
ASSOCIATIONS = 50


class Transfer(NamedTuple):
    """One repeat: wall and CPU seconds of the receiver, and its peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def rows(options: Options) -> Iterator[Row]:
    """MB/s, CPU and memory of full-size objects; small objects a second; associations a second."""
    large = write_objects(options.scratch / "large", options.images, options.rows, options.columns)
    yield from _large(large, options)
    small = write_objects(options.scratch / "small", options.small_objects, 160, 160)
    yield from _small(small, options)
    yield _associations(options)


def write_objects(folder: Path, number: int, height: int, width: int) -> list[Path]:
    """`number` instances of one picture, four a study."""
    folder.mkdir(parents=True)
    ds = mammogram(rows=height, columns=width)
    paths = []
    for index in range(number):
        if index % 4 == 0:
            ds.StudyInstanceUID = generate_uid()
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        paths.append(folder / f"{index:04d}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def _large(files: Sequence[Path], options: Options) -> Iterator[Row]:
    amount = sum(file.stat().st_size for file in files) / MEGABYTE
    repeats = max(1, options.repeats // 2)
    one = _in_turn([receivers.mammonode, receivers.dcmtk], files, 1, options, repeats)
    four = _in_turn([receivers.mammonode, receivers.orthanc], files, 4, options, repeats)
    rate = [[Samples(tuple(amount / turn.wall for turn in turns)) for turns in sides] for sides in (one, four)]
    cpu = [Samples(tuple(turn.cpu for turn in turns)) for turns in one]
    memory = [[Samples(tuple(turn.memory for turn in turns)) for turns in sides] for sides in (one, four)]
    yield _row(
        "ingest.1",
        "MB/s",
        rate[0],
        Reach(ratio=1.2),
        also=cpu[0].median <= cpu[1].median,
        note=f"storescp --fork, no fsync; CPU {cpu[0].median:.2f} s against {cpu[1].median:.2f} s",
    )
    yield _row("ingest.1.cpu", "s", cpu, note=f"CPU of the receiver for {len(files)} objects, storescp --fork")
    yield _row("ingest.1.memory", "MB", memory[0], note="peak, storescp --fork")
    quarter = memory[1][0].median * 4 <= memory[1][1].median
    words = f"Orthanc; memory {memory[1][0].median:.0f} MB against {memory[1][1].median:.0f} MB, to be a quarter"
    yield _row("ingest.4", "MB/s", rate[1], Reach(ratio=1.5), also=quarter, note=words)
    yield _row("ingest.4.memory", "MB", memory[1], Reach(ratio=4), note="peak, Orthanc")


def _small(files: Sequence[Path], options: Options) -> Iterator[Row]:
    sides: list[Start] = [receivers.mammonode, receivers.pynetdicom]
    for name, some, nodelay, reach in (
        ("ingest.small", files, True, None),
        # a slow baseline: fewer objects say the same
        ("ingest.small.nagle", files[: max(4, len(files) // 4)], False, Reach(value=300)),
    ):
        turns = _in_turn(sides, some, 1, options, options.repeats, nodelay=nodelay)
        rates = [Samples(tuple(len(some) / turn.wall for turn in side)) for side in turns]
        words = "with" if nodelay else "without"
        yield _row(name, "objects/s", rates, reach, note=f"52 KB, sender {words} TCP_NODELAY; pynetdicom defaults")


def _row(
    name: str, unit: str, samples: Sequence[Samples], reach: Reach | None = None, *, also: bool = True, note: str
) -> Row:
    return Row(name, samples[0].median, unit, samples[1].median, samples[0].spread, reach, also, note)


def _in_turn(
    sides: Sequence[Start],
    files: Sequence[Path],
    associations: int,
    options: Options,
    repeats: int,
    *,
    nodelay: bool = True,
) -> list[list[Transfer]]:
    """Each side `repeats` times in turn, always a fresh receiver with an empty folder."""
    done: list[list[Transfer]] = [[] for _ in sides]
    numbers = count()
    for _ in range(repeats):
        for side, transfers in zip(sides, done, strict=True):
            folder = options.scratch / f"receiver-{next(numbers)}"
            os.sync()  # what the last one left to be written is not this one's to wait for
            with side(folder) as receiver:
                transfers.append(_transfer(receiver, files, associations, nodelay))
    return done


def _transfer(receiver: Receiver, files: Sequence[Path], associations: int, nodelay: bool) -> Transfer:
    before = receiver.cpu_seconds()
    wall = seconds(lambda: send(receiver.port, files, associations, nodelay=nodelay))
    return Transfer(wall, receiver.cpu_seconds() - before, receiver.peak / MEGABYTE)


def send(port: int, files: Sequence[Path], associations: int, *, nodelay: bool) -> None:
    """dcmtk's storescu, one process an association. Raises RuntimeError where an object is not taken."""
    environment = clean_environment(**({"TCP_NODELAY": "1"} if nodelay else {}))
    command = [
        which("storescu"),
        "--max-pdu",
        "131072",
        "-aet",
        "MODALITY",
        "-aec",
        "MAMMONODE",
        "127.0.0.1",
        str(port),
    ]
    senders = [
        subprocess.Popen(
            [*command, *map(str, files[index::associations])],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for index in range(associations)
    ]
    for sender in senders:
        _, errors = sender.communicate()
        if sender.returncode != 0:
            raise RuntimeError(f"storescu: {errors.decode(errors='replace')[-1000:]}")


def _associations(options: Options) -> Row:
    """Associations opened and released a second, by a sender that costs nothing: its PDUs are made beforehand."""
    number = ASSOCIATIONS if not options.small else 3
    found: list[list[float]] = [[], []]
    with receivers.mammonode(options.scratch / "a") as ours, receivers.pynetdicom(options.scratch / "b") as plain:
        for _ in range(options.repeats):
            for receiver, rates in zip((ours, plain), found, strict=True):
                rates.append(number / seconds(partial(_associate, receiver.port, number)))
    samples = [Samples(tuple(rates)) for rates in found]
    return _row("association", "associations/s", samples, note="set-up and release; pynetdicom's storescp")


def _associate(port: int, number: int) -> None:
    for _ in range(number):
        _associate_once(port)


def _associate_once(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(_REQUEST)
        answer = _pdu(peer)
        if answer != 0x02:  # A-ASSOCIATE-AC, PS3.8 table 9-17
            raise RuntimeError(f"association refused with PDU type {answer:#04x}")
        peer.sendall(_RELEASE)
        _pdu(peer)


def _pdu(peer: socket.socket) -> int:
    """Read one PDU whole, return its type (PS3.8 9.3.1: type, reserved, length in four bytes)."""
    header = _exactly(peer, 6)
    _exactly(peer, int.from_bytes(header[2:], "big"))
    return header[0]


def _exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        if not piece:
            raise RuntimeError("the receiver closed the connection")
        data += piece
    return data


def _request() -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "MODALITY", "MAMMONODE"
    context = build_context("1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.1.2.1")
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = PYNETDICOM_IMPLEMENTATION_UID
    primitive.user_information = [length, implementation]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def _release() -> bytes:
    pdu = A_RELEASE_RQ()
    pdu.from_primitive(A_RELEASE())
    return bytes(pdu.encode())


_REQUEST, _RELEASE = _request(), _release()
