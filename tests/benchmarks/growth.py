"""How cost grows with the size of the image, the number of lesions, the number of studies that wait."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydicom import dcmread

from benchmarks.chain import MEMORY
from benchmarks.options import Options
from benchmarks.results import study_result
from benchmarks.rows import Row, timed
from config.settings import Settings
from inference.preparation import prepare
from phantoms.mammogram import mammogram, write_study
from scp import node_status
from scp.composition import object_options
from scp.journal import Journal
from scp.journal_rows import StudyState
from scp.objects.build import build
from scp.objects.inputs import Revision
from scp.receiver import spool_folder
from scp.spool import Spool

KINDS = ("cad-sr", "tid1500", "seg")


def rows(options: Options) -> Iterator[Row]:
    """Each row's baseline is the smallest of its kind, in the same unit."""
    yield from _images(options)
    yield from _lesions(options)
    yield from _waiting(options)


def _images(options: Options) -> Iterator[Row]:
    heights = (1024, 2048, 4096, 5928) if not options.small else (256, 512)
    works = {}
    for height in heights:
        path = options.scratch / f"height-{height}.dcm"
        mammogram(rows=height, columns=height * 4 // 5).save_as(path, enforce_file_format=True)
        works[height] = partial(prepare, path, options.recipes, MEMORY)
    yield from _against_first("growth.image", works, options, "from file to windows, rows of the image")


def _lesions(options: Options) -> Iterator[Row]:
    height = options.rows
    files = write_study(options.scratch / "lesions", rows=height, columns=height * 3 // 4)
    headers = [dcmread(path, stop_before_pixels=True) for path in files]
    sources = {str(header.SOPInstanceUID): header for header in headers}
    revision = Revision(number=1, written=datetime(2026, 1, 1, tzinfo=UTC))
    chosen = object_options(Settings().objects, KINDS)
    works = {}
    for number in (0, 1, 3, 10, 30):
        works[number] = partial(build, study_result(files, number), sources, chosen, revision)
    yield timed(
        "objects", works[3], None, repeats=options.repeats, unit="ms", note="SR and SEG, four views, 12 lesions"
    )
    del works[0], works[3]
    yield from _against_first("growth.lesions", works, options, "SR and SEG of four views, lesions an image")


def _waiting(options: Options) -> Iterator[Row]:
    """One look of the status command and one sweep of the spool while so many studies wait."""
    works = {}
    for number in options.waiting:
        settings = Settings.model_validate({"node": {"folder": options.scratch / f"waiting-{number}"}})
        _fill(settings, number)
        works[number] = partial(_look, settings)
    yield from _against_first("growth.waiting", works, options, "status and a sweep while so many studies wait")


def _against_first(
    name: str, works: Mapping[int, Callable[[], object]], options: Options, note: str
) -> Iterator[Row]:
    first = works[min(works)]
    for size, work in works.items():
        yield timed(f"{name}.{size}", work, first, repeats=options.repeats, unit="ms", note=f"{note}: {size}")


def _fill(settings: Settings, number: int) -> None:
    spool = Spool(spool_folder(settings))
    journal = Journal.open(settings)
    for index in range(number):
        uid = f"1.2.{number}.{index}"
        (spool.studies / uid).mkdir(mode=0o700)
        journal.record_study(uid, state=StudyState.WAITING, images=4, last_received=time.time())
    journal.close()


def _look(settings: Settings) -> None:
    node_status.status(settings)
    spool, journal = Spool(spool_folder(settings)), Journal.open(settings)
    seen = journal.seen()
    for uid in spool.study_uids():
        Path(spool.studies / uid).stat()
        seen.get(uid)
    journal.close()
