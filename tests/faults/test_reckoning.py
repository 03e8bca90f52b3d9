"""The count of the kill campaign finds each kind of loss and wrong that is planted."""

from dataclasses import replace

import pytest

from faults.counted import Line
from faults.reckoning import EXPECTED, SEGMENTATION, Kill, reckon
from faults.sender import Sender, SentStudy, digest_of
from phantoms.mammogram import four_views

CAD, REPORT = (sop_class for sop_class in EXPECTED if sop_class != SEGMENTATION)
BOX = (76.0, 108.0, 116.0, 148.0)
IMAGES = ["1.1.1", "1.1.2", "1.1.3", "1.1.4"]


def _lines():
    def line(instance, sop_class, references):
        boxes = [BOX] * (1 if sop_class == SEGMENTATION else 4)
        return Line(10.0, "1.1", instance, sop_class, "FAULT00001", instance, references, boxes)

    segmentations = [line(f"2.25.{number}", SEGMENTATION, [image]) for number, image in enumerate(IMAGES, 3)]
    return [line("2.25.1", CAD, IMAGES), line("2.25.2", REPORT, [*IMAGES, "2.25.3"]), *segmentations]


def _counted(lines, spool=None):
    study = SentStudy("1.1", "FAULT00001", 256, 192, dict.fromkeys(IMAGES, "digest"), received=5.0)
    sender = Sender([1], studies=[study], successes=[(5.0, 1), (8.0, 2), (9.0, 1)])
    return reckon(sender, {"steady": lines}, [Kill(6.0, "receiver", 1), Kill(7.0, "worker")], spool)


def test_what_is_right_counts_as_right():
    counted = _counted(_lines())
    found = counted.destinations["steady"]
    assert (found.delivered, found.lost, found.wrong, found.duplicated, found.repeated_sends) == (1, 0, 0, 0, 0)
    assert counted.ok
    assert (counted.receiver_back.events, counted.receiver_back.longest) == (1, 3.0)
    assert (counted.in_work_delivered.events, counted.in_work_delivered.longest) == (2, 4.0)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, {"patient": "FAULT00002"}),
        (0, {"references": [*IMAGES, "1.2.1"]}),
        (0, {"references": IMAGES[:3]}),
        (1, {"boxes": [BOX] * 3}),
        (1, {"boxes": [BOX, BOX, BOX, (84.0, 108.0, 124.0, 148.0)]}),
        (2, {"boxes": []}),
        (2, {"boxes": [(76.0, 108.0, 116.0, 149.0)]}),
    ],
)
def test_a_wrong_object_is_found(place, change):
    lines = _lines()
    lines[place] = replace(lines[place], **change)
    counted = _counted(lines)
    assert counted.destinations["steady"].wrong == 1
    assert not counted.ok


def test_two_segmentations_of_one_image_are_wrong():
    lines = _lines()
    lines[2] = replace(lines[2], references=[IMAGES[1]])
    assert _counted(lines).destinations["steady"].wrong == 2


def test_a_missing_object_is_a_loss():
    counted = _counted(_lines()[:-1])
    assert (counted.destinations["steady"].delivered, counted.destinations["steady"].lost) == (0, 1)
    assert not counted.ok


def test_the_same_object_again_is_a_repeat_and_another_a_duplicate():
    lines = _lines()
    again = _counted([*lines, lines[2]]).destinations["steady"]
    assert (again.repeated_sends, again.wrong, again.duplicated) == (1, 0, 0)
    changed = _counted([*lines, replace(lines[2], sha256="other")]).destinations["steady"]
    assert (changed.repeated_sends, changed.wrong) == (1, 1)
    second = _counted([*lines, replace(lines[0], instance="2.25.9")])
    assert second.destinations["steady"].duplicated == 1
    assert not second.ok


def test_an_instance_that_changes_in_the_spool_is_spoiled(tmp_path):
    (tmp_path / "1.1").mkdir()
    made = four_views(rows=64, columns=48)
    for instance, ds in zip(IMAGES, made, strict=True):
        ds.save_as(tmp_path / "1.1" / f"{instance}.20260101T000000000000Z.dcm", enforce_file_format=True)
    pixels = {instance: digest_of(ds) for instance, ds in zip(IMAGES, made, strict=True)}
    study = SentStudy("1.1", "FAULT00001", 64, 48, pixels, received=5.0)

    def spoiled():
        return reckon(Sender([1], studies=[study]), {"steady": []}, [], tmp_path).spoiled

    assert spoiled() == 0
    made[0].PixelData = bytes([made[0].PixelData[0] ^ 1]) + made[0].PixelData[1:]
    made[0].save_as(tmp_path / "1.1" / f"{IMAGES[0]}.20260101T000000000000Z.dcm", enforce_file_format=True)
    next((tmp_path / "1.1").glob(f"{IMAGES[1]}.*")).unlink()
    next((tmp_path / "1.1").glob(f"{IMAGES[2]}.*")).write_bytes(bytes(1000))
    assert spoiled() == 3
