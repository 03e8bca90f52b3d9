"""The whole node on a real disk that is full, or read-only, in the middle of its work, and then is not."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from peers import bad_pacs
from peers.modality import send
from peers.running_node import RunningNode
from peers.small_disk import SmallDisk
from peers.waiting import wait_for
from phantoms.mammogram import four_views

pytestmark = [pytest.mark.disks, pytest.mark.faults]

Make = Callable[..., Any]
OUT_OF_RESOURCES, SUCCESS = 0xA700, 0x0000
WHOLE = Counter({"SR": 2, "SEG": 4})


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """64 MB for everything that the node writes."""
    one = SmallDisk(tmp_path / "disk", 64)
    yield one
    one.unmount_all()


def _statuses(node: RunningNode, datasets: Sequence[Dataset]) -> list[int]:
    return [int(answer.Status) for answer in send(node.port, datasets)]


def _study() -> tuple[str, list[Dataset]]:
    datasets = four_views(rows=256, columns=192)
    return str(datasets[0].StudyInstanceUID), datasets


def test_work_goes_on_by_itself_when_the_disk_takes_it_again(disk: SmallDisk, node: Make) -> None:
    got: dict[str, dict[str, str]] = {}

    def keep(event: Any) -> int:
        got.setdefault(str(event.dataset.StudyInstanceUID), {})[str(event.dataset.SOPInstanceUID)] = str(
            event.dataset.Modality
        )
        return SUCCESS

    disk.make()
    with bad_pacs.pacs(EVT_C_STORE=keep) as port:
        destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": port}
        sections = {"node": {"folder": str(disk.folder / "data")}, "analysis": {"worker_crashes": 50}}
        mammonode: RunningNode = node(destinations=[destination], sections=sections, seconds=1.0)
        studies = []
        for begin, end in ((disk.fill, disk.give_space), (disk.protect, disk.unprotect)):
            for state in ("waiting", "analysing"):
                study, datasets = _study()
                assert _statuses(mammonode, datasets) == [SUCCESS] * 4
                mammonode.wait_for_state(study, state)
                begin()
                late, refused = _study()
                assert _statuses(mammonode, refused) == [OUT_OF_RESOURCES] * 4
                # a worker that has to start now must wait as well
                killed = mammonode.kill("worker")
                wait_for(lambda killed=killed: mammonode.pid("worker") != killed)
                end()
                assert _statuses(mammonode, refused) == [SUCCESS] * 4
                studies += [study, late]
        for study in studies:
            assert mammonode.wait_for_state(study, "delivered")["revision"] == 1
            assert Counter(got[study].values()) == WHOLE
