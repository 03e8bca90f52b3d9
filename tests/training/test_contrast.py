"""Shapes of a file, pasted at a known contrast."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from inference.results import Module
from inference.weights_file import load_weights
from inference.windows import Window
from phantoms.weights import write_weights
from training import contrast
from training.annotations import read_annotations
from training.contrast import contrast_figures
from training.errors import TrainingError
from training.images import prepare
from training.plan import paper_plan
from training.shapes import EXTENT_MM, read_shape, shadow
from training.simulate import PIXELS_PER_MM


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    """A ball of 21 voxels across, as HDF5."""
    z, y, x = np.mgrid[-15:16, -15:16, -15:16]
    path = tmp_path / "ball.h5"
    with h5py.File(path, "w") as file:
        file["volume"] = (z**2 + y**2 + x**2 <= 100).astype(np.uint8)
    return path


def test_a_shape_is_its_filled_voxels_in_its_own_extent(ball: Path, tmp_path: Path) -> None:
    places = read_shape(ball)
    assert places.min(axis=0).tolist() == [-0.5] * 3
    assert places.max(axis=0).tolist() == [0.5] * 3
    with h5py.File(ball) as file:
        np.save(tmp_path / "ball.npy", file["volume"][()])
    assert np.array_equal(read_shape(tmp_path / "ball.npy"), places)


def test_a_file_without_a_volume_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no shape")
    np.save(tmp_path / "flat.npy", np.ones((3, 3)))
    for name in ("text.h5", "flat.npy", "gone.npy"):
        with pytest.raises(TrainingError, match=f"{name} holds no shape"):
            read_shape(tmp_path / name)


def test_a_ball_casts_a_round_shadow_in_the_middle(ball: Path) -> None:
    picture = shadow(read_shape(ball), 800, Module.NODULE, np.random.default_rng(1))
    rows, columns = np.nonzero(picture > 0.5)
    assert picture.max() == 1.0
    assert (rows.mean(), columns.mean()) == pytest.approx((400, 400), abs=3)
    low, high = (0.7 * edge * PIXELS_PER_MM for edge in EXTENT_MM[Module.NODULE])
    assert low < np.ptp(rows) < high
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=6)


def test_a_cluster_keeps_single_spots(ball: Path) -> None:
    picture = shadow(read_shape(ball), 400, Module.MICROCALCIFICATION, np.random.default_rng(1))
    assert 0.001 < (picture > 0.3).mean() < 0.03


@pytest.mark.parametrize("wanted", [1.0, 4.0])
def test_the_contrast_is_the_one_asked_for(few_nodules: Path, ball: Path, wanted: float) -> None:
    image = read_annotations([few_nodules]).images[1]
    prepared = prepare(image, paper_plan(Module.NODULE, "full", 1).recipe)
    added = shadow(read_shape(ball), 800, Module.NODULE, np.random.default_rng(2))
    window = Window(200, 1600, 800)
    before, _, inner = contrast._region(prepared, window, added, 0.0)
    after, breast, _ = contrast._region(prepared, window, added, wanted)
    assert (inner.x, inner.y, inner.size) == (400, 400, 800)
    assert breast[800, 800]
    core = added >= 0.5
    difference = (after.astype(float) - before)[400:1200, 400:1200][core].mean()
    noise = max(before[400:1200, 400:1200][core].std(), 1.0)
    assert difference / noise == pytest.approx(wanted, abs=0.6 / noise)  # whole grey levels


def test_every_contrast_has_its_row(
    few_nodules: Path, ball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contrast, "PLACES", 1)
    trained = load_weights(write_weights(tmp_path / "weights") / "nodule.safetensors")
    images = read_annotations([few_nodules]).images[:5]
    done: list[int] = []
    rows = contrast_figures(trained, images, [read_shape(ball)], torch.device("cpu"), done.append)
    assert [row["contrast_to_noise"] for row in rows] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert {row["places"] for row in rows} == {5}
    assert all(0 <= row["auc"] <= 1 and 0 <= row["marked"] <= 1 for row in rows)
    assert done == [1, 2, 3, 4, 5]
