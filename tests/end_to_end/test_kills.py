"""kill -9 of each process between any two states: the study is delivered once and whole."""

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from peers.orthanc import Orthanc, storescu
from peers.ports import free_port
from peers.running_node import RunningNode
from peers.waiting import wait_for
from phantoms.mammogram import write_study

Make = Callable[..., Any]
WHOLE = {"SR": 2, "SEG": 4}


def _files(folder: Path, number: int) -> tuple[str, list[Path]]:
    files = write_study(folder / f"study-{number}", rows=256, columns=192)
    return str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID), files


def _back(pacs: Orthanc, study: str) -> Counter[str]:
    return Counter(tags["Modality"] for tags in pacs.instances() if tags["StudyInstanceUID"] == study)


def _send_in_halves(node: RunningNode, files: list[Path], kill: Callable[[], object]) -> None:
    """The kill falls between two images; the sender tries the second half until it is taken."""
    storescu(files[:2], node.port)
    kill()
    wait_for(lambda: _taken(node, files[2:]), 200)


def _taken(node: RunningNode, files: list[Path]) -> bool:
    try:
        storescu(files, node.port)
    except subprocess.CalledProcessError:
        return False
    return True


@pytest.mark.parametrize("role", ["receiver", "worker", "supervisor"])
def test_a_kill_between_any_two_states_loses_nothing(orthanc: Make, node: Make, tmp_path: Path, role: str) -> None:
    pacs, late = orthanc(), free_port()
    destinations = [
        {"name": name, "ae_title": "PACS", "host": "127.0.0.1", "port": port}
        for name, port in (("pacs", pacs.dicom_port), ("late", late))
    ]
    sections = {"studies": {"complete_quiet": 1.0, "incomplete_quiet": 30.0}}
    mammonode: RunningNode = node(destinations=destinations, sections=sections, seconds=1.5)

    def kill() -> None:
        mammonode.kill(role)
        if role == "supervisor":
            assert mammonode.process is not None
            mammonode.process.wait()
            mammonode.start_process()

    studies = []
    for number, state in enumerate(("received", "waiting", "analysing", "delivering")):
        study, files = _files(tmp_path, number)
        studies.append(study)
        if state == "received":
            _send_in_halves(mammonode, files, kill)
            continue
        wait_for(lambda files=files: _taken(mammonode, files), 200)
        mammonode.wait_for_state(study, state)
        kill()
    second = orthanc(dicom_port=late)
    for study in studies:
        said = mammonode.wait_for_state(study, "delivered")
        assert said["revision"] == 1
        assert _back(pacs, study) == _back(second, study) == WHOLE
