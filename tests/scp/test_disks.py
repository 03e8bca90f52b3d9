"""The receiver on a real file system that is full, or read-only, and then is not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from peers.modality import send
from peers.small_disk import SmallDisk
from phantoms.mammogram import four_views, mammogram

pytestmark = pytest.mark.disks

MEGABYTES = 4
OUT_OF_RESOURCES, SUCCESS = 0xA700, 0x0000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Where the spool of `listen` will lie; made by the test."""
    one = SmallDisk(tmp_path / "spool", MEGABYTES)
    yield one
    one.unmount_all()


def _statuses(port: int, datasets: Any) -> list[int]:
    return [int(answer.Status) for answer in send(port, datasets)]


def test_no_success_on_a_full_disk_and_none_is_missed_when_there_is_room(
    disk: SmallDisk, listen: Callable[..., Any]
) -> None:
    disk.make()
    listening = listen()
    images = four_views(rows=64, columns=48)
    large = mammogram(rows=2048, columns=1500)  # 6 MB: the disk is full in the middle of it
    assert _statuses(listening.port, [images[0], large, images[1]]) == [SUCCESS, OUT_OF_RESOURCES, SUCCESS]
    disk.fill()
    assert _statuses(listening.port, images) == [OUT_OF_RESOURCES] * 4
    assert listening.arriving == []
    disk.give_space()
    assert _statuses(listening.port, images) == [SUCCESS] * 4
    assert {path.name.rsplit(".", 2)[0]: dcmread(path).PixelData for path in listening.files} == {
        str(ds.SOPInstanceUID): ds.PixelData for ds in images
    }


def test_no_success_on_a_read_only_disk(disk: SmallDisk, listen: Callable[..., Any]) -> None:
    disk.make()
    listening = listen()
    images = four_views(rows=64, columns=48)
    assert _statuses(listening.port, images[:1]) == [SUCCESS]
    disk.protect()
    assert _statuses(listening.port, images[1:]) == [OUT_OF_RESOURCES] * 3
    disk.unprotect()
    assert _statuses(listening.port, images) == [SUCCESS] * 4
    assert len(listening.files) == 4
