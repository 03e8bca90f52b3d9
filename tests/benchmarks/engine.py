"""The whole node: from the last image to results in the PACS, throughput, memory, two workers."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from pydicom.uid import generate_uid

from benchmarks.database import postgresql
from benchmarks.ingest import send
from benchmarks.networks import write_weights
from benchmarks.nodes import QUIET, Node, node, stored
from benchmarks.options import Options
from benchmarks.rows import Reach, Row, Samples
from phantoms.mammogram import four_views, write_study
from scp.demonstration_study import demonstration_study
from scp.journal_rows import StudyRow, StudyState

MEGABYTE = 1e6
A_BATCH = 100
"""Studies sent over one association."""


def rows(options: Options) -> Iterator[Row]:
    """With the real networks, then with a fixed-time analyser."""
    weights = write_weights(options)
    yield from _real(weights, options)
    yield from _many(weights, options)
    yield _two_workers(options)


def _real(weights: Path, options: Options) -> Iterator[Row]:
    number = 2 if options.small else 3
    studies = [_study(options, index) for index in range(number + 1)]
    with node(options.scratch / "real", weights) as running:
        idle = running.memory / MEGABYTE
        yield Row("memory.idle", idle, "MB", reach=Reach(value=1500), note="all processes, networks loaded")
        trips = [_round_trip(running, study, index + 1) for index, study in enumerate(studies[:number])]
        samples = Samples(tuple(trips))
        limit = 1.5 if torch.cuda.is_available() else 25.0
        note = "last image in to the last object stored in the PACS, less the quiet period"
        yield Row("roundtrip", samples.median, "s", spread=samples.spread, reach=Reach(value=limit), note=note)
        yield Row("memory.after_real", running.memory / MEGABYTE, "MB", idle, note=f"after {number} real studies")
    with node(options.scratch / "saturated", weights) as running:
        for study in studies[:number]:
            send(running.port, study, 1, nodelay=True)
        rate = _rate(running.wait_for(StudyState.DELIVERED, number), 0.0)
        yield Row("saturation", rate, "studies/h", note="real networks, studies waiting")


def _study(options: Options, index: int) -> list[Path]:
    """The demonstration's study under a UID of its own, received today; phantoms where images are to be small."""
    folder = options.scratch / f"study-{index}"
    if options.small:
        return write_study(folder, rows=options.rows, columns=options.columns)[:1]
    instances = list(demonstration_study(malignant=index % 2 == 0))
    study = generate_uid()
    for ds in instances:
        # a film's date of long ago would make it a prior
        ds.StudyInstanceUID, ds.StudyDate = study, time.strftime("%Y%m%d")
    return write_study(folder, instances)


def _round_trip(running: Node, study: list[Path], number: int) -> float:
    """Seconds from the last Success to the last object on the PACS's disk, beyond the quiet period."""
    send(running.port, study, 1, nodelay=True)
    sent = time.time()
    running.wait_for(StudyState.DELIVERED, number)
    return max(path.stat().st_mtime for path in stored(running.pacs)) - sent - QUIET


def _rate(rows: list[StudyRow], first: float) -> float:
    """Studies an hour; `first` is how long the first of them took, 0 where it is only waited for the others."""
    ends = sorted(row.updated for row in rows)
    count = len(ends) if first else len(ends) - 1
    return 3600.0 * max(count, 1) / max(ends[-1] - ends[0] + first, 1e-3)


def _many(weights: Path, options: Options) -> Iterator[Row]:
    """Many small studies with an analyser that takes no time, the networks in memory beside it."""
    total = options.studies
    early = max(2, total // 10)
    files = write_studies(options.scratch / "many", total)
    with node(options.scratch / "fixed", weights, fixed_seconds=0.0) as running:
        _send_all(running, files[: early * 4])
        running.wait_for(StudyState.DELIVERED, early)
        before = running.memory / MEGABYTE
        started = time.time()
        _send_all(running, files[early * 4 :])
        done = running.wait_for(StudyState.DELIVERED, total)
        after = running.memory / MEGABYTE
        ended = max(row.updated for row in done)
    flat = after <= 1.1 * before
    note = f"after {total} studies, networks loaded; baseline after {early}; flat within 10 %"
    yield Row("memory.after_1000", after, "MB", before, reach=Reach(value=1500), also=flat, note=note)
    rate = 3600.0 * (total - early) / max(ended - started, 1e-3)
    yield Row("saturation.engine", rate, "studies/h", note="four small views, an analyser that takes no time")


def write_studies(folder: Path, number: int) -> list[Path]:
    """Four small views each, one after the other."""
    folder.mkdir(parents=True)
    views, paths = four_views(rows=128, columns=96), []
    for index in range(number):
        study, series = generate_uid(), generate_uid()
        for view in views:
            view.StudyInstanceUID, view.SeriesInstanceUID = study, series
            view.SOPInstanceUID = view.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            paths.append(folder / f"{index:05d}-{view.InstanceNumber}.dcm")
            view.save_as(paths[-1], enforce_file_format=True)
    return paths


def _send_all(running: Node, files: list[Path]) -> None:
    for start in range(0, len(files), 4 * A_BATCH):
        send(running.port, files[start : start + 4 * A_BATCH], 1, nodelay=True)


def _two_workers(options: Options) -> Row:
    """Studies an hour on PostgreSQL with one and with two workers in turn, the analyser a wait of fixed length."""
    seconds = 1.0
    number, repeats = (4, 1) if options.small else (24, 3)
    rates: dict[int, list[float]] = {1: [], 2: []}
    with postgresql() as url:
        for turn in range(repeats):
            for workers, found in rates.items():
                name = f"workers{workers}_{turn}"
                files = write_studies(options.scratch / f"{name}-studies", number)
                database = _fresh_database(url, name)
                folder = options.scratch / name
                with node(folder, None, fixed_seconds=seconds, workers=workers, database=database) as running:
                    _send_all(running, files)
                    found.append(_rate(running.wait_for(StudyState.DELIVERED, number), seconds))
    one, two = (Samples(tuple(found)) for found in rates.values())
    note = f"PostgreSQL, an analyser of {seconds:g} s; one worker as baseline"
    return Row("scale.2workers", two.median, "studies/h", one.median, two.spread, Reach(ratio=1.9), note=note)


def _fresh_database(url: str, name: str) -> str:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{url.rpartition('/')[0]}/{name}"
