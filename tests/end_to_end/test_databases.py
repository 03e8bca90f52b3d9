"""Both databases damaged while the node is down; a stop in the middle of an analysis."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom import dcmread

from peers.orthanc import storescu
from phantoms.mammogram import write_study

Make = Callable[..., Any]


def _study(folder: Path) -> tuple[str, list[Path]]:
    files = write_study(folder, rows=256, columns=192)
    return str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID), files


def test_damaged_databases_are_kept_aside_and_nothing_is_done_twice(
    node: Make, orthanc: Make, tmp_path: Path
) -> None:
    pacs = orthanc()
    destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs.dicom_port}
    mammonode = node(destinations=[destination], seconds=1.0)
    study, files = _study(tmp_path / "study")
    storescu(files, mammonode.port)
    before = mammonode.wait_for_state(study, "delivered")
    result = (Path(before["result_folder"]) / "result.json").stat().st_mtime_ns
    mammonode.stop()
    for name in ("journal.db", "engine.db"):
        (mammonode.folder / "data" / name).write_bytes(b"\xff" * 8192)
        # SQLite would restore it from the log, if all of it were there
        (mammonode.folder / "data" / f"{name}-wal").unlink(missing_ok=True)

    mammonode.start()
    after = mammonode.wait_for_state(study, "delivered")

    assert (after["revision"], after["result_folder"]) == (1, before["result_folder"])
    assert (Path(after["result_folder"]) / "result.json").stat().st_mtime_ns == result
    assert len(list((mammonode.folder / "data").glob("*.db.corrupt-*Z"))) == 2
    assert len(pacs.instances()) == 6


def test_a_stop_lets_the_analysis_end_and_the_next_start_goes_on(node: Make, orthanc: Make, tmp_path: Path) -> None:
    pacs = orthanc()
    destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs.dicom_port}
    mammonode = node(destinations=[destination], seconds=2.0, sections={"node": {"drain_seconds": 30.0}})
    study, files = _study(tmp_path / "study")
    storescu(files, mammonode.port)
    mammonode.wait_for_state(study, "analysing")

    mammonode.stop()
    assert not list((mammonode.folder / "data" / "attempts").iterdir())
    mammonode.start()
    assert mammonode.wait_for_state(study, "delivered")["revision"] == 1
    assert len(pacs.instances()) == 6
