"""The fully convolutional pass: every window's place and score."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inference import dense
from inference.dense import at_patch_scale, scan_densely
from inference.errors import DeviceError
from inference.network import build_network
from inference.recipe import paper_recipe
from inference.results import Module
from inference.scorer import Scorer
from inference.weights_file import TrainedModule, load_weights
from phantoms.weights import brightness_score, small_header, small_recipe

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scorer(weights: Path) -> Scorer:
    return Scorer(load_weights(weights / "nodule.safetensors"), CPU)


@pytest.mark.parametrize(
    ("module", "rows", "columns", "shape"),
    [
        (Module.NODULE, 4096, 3000, (1152, 864)),  # 800 / 224 * 32 = 114.29 pixels a place, 36 x 27 places
        (Module.MICROCALCIFICATION, 4096, 3000, (2304, 1696)),
        (Module.NODULE, 500, 300, (224, 224)),  # smaller than one window
    ],
)
def test_patch_scale_is_exact(module: Module, rows: int, columns: int, shape: tuple[int, int]) -> None:
    image = np.zeros((rows, columns), np.uint8)
    image[100:250, 50:200] = 255
    scaled = at_patch_scale(image, paper_recipe(module))
    assert scaled.shape == shape
    factor = 224 / paper_recipe(module).windows.window
    assert float(scaled.sum()) == pytest.approx(150 * 150 * factor**2, rel=1e-4)
    on_device = at_patch_scale(torch.from_numpy(image), paper_recipe(module))
    torch.testing.assert_close(on_device, scaled, rtol=0, atol=1e-5)


def test_dense_and_single_scores_agree_where_neighbours_do_not_matter(scorer: Scorer) -> None:
    """The network set by hand looks at each place alone, so the two ways differ only by the rounding of corners."""
    rng = np.random.default_rng(5)
    image = np.repeat(np.repeat(rng.integers(120, 190, (16, 8)), 64, 0), 64, 1).astype(np.uint8)
    breast = np.zeros(image.shape, np.bool_)
    breast[200:800, :440] = True
    image[~breast] = 0
    scored = scan_densely(scorer, image, breast)
    step = 32 * 200 / 96  # 66.67 normalised pixels
    for window in scored.windows:
        column, row = round(window.x / step), round(window.y / step)
        assert (window.x, window.y, window.size) == (round(column * step), round(row * step), 200)
    assert len(set(scored.windows)) == len(scored.windows) > 30
    aligned = [i for i, w in enumerate(scored.windows) if w.x % 200 == w.y % 200 == 0]
    assert len(aligned) >= 6
    alone = scorer.score(image, [scored.windows[i] for i in aligned])
    np.testing.assert_allclose(scored.scores[aligned], alone.scores, atol=1e-5)
    np.testing.assert_allclose(scored.evidence[aligned], alone.evidence, atol=1e-4)


def test_dense_scores_of_a_network_with_neighbourhoods_stay_close() -> None:
    """Zeros at a window's rim against its real neighbourhood: within 0.05 for random weights."""
    torch.manual_seed(11)
    header = small_header(Module.NODULE)
    network = build_network(header.recipe.network).eval()
    scorer = Scorer(TrainedModule(header, network, "0" * 64), CPU)
    rng = np.random.default_rng(6)
    image = np.repeat(np.repeat(rng.integers(60, 200, (48, 32)), 16, 0), 16, 1).astype(np.uint8)
    scored = scan_densely(scorer, image, np.ones(image.shape, np.bool_))
    aligned = [i for i, w in enumerate(scored.windows) if w.x % 200 == w.y % 200 == 0]
    alone = scorer.score(image, [scored.windows[i] for i in aligned])
    np.testing.assert_allclose(scored.scores[aligned], alone.scores, atol=0.05)


def test_strips_give_the_numbers_of_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(11)
    header = small_header(Module.MICROCALCIFICATION)
    scorer = Scorer(TrainedModule(header, build_network(header.recipe.network).eval(), "0" * 64), CPU)
    image = np.random.default_rng(8).integers(0, 256, (1024, 100), dtype=np.uint8)
    breast = np.ones(image.shape, np.bool_)
    whole = scan_densely(scorer, image, breast)
    monkeypatch.setitem(dense.STRIP, "cpu", 10)
    strips = scan_densely(scorer, image, breast)
    assert strips.windows == whole.windows
    np.testing.assert_allclose(strips.scores, whole.scores, atol=1e-6)


def test_windows_without_enough_breast_are_left_out(scorer: Scorer) -> None:
    image = np.full((1024, 768), 170, np.uint8)
    breast = np.zeros(image.shape, np.bool_)
    breast[300:600, 0:300] = True
    scored = scan_densely(scorer, image, breast)
    shares = [breast[w.y : w.y + 200, w.x : w.x + 200].sum() / 200**2 for w in scored.windows]
    assert min(shares) >= small_recipe(Module.NODULE).breast.least_breast
    assert max(w.x for w in scored.windows) < 300
    np.testing.assert_allclose(scored.scores, brightness_score(170 / 255), atol=2e-3)


def test_out_of_memory_makes_lower_strips_and_then_says_so(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    image, breast = np.full((1024, 200), 170, np.uint8), np.ones((1024, 200), np.bool_)
    network, heights = scorer._network, []

    def narrow(grey: torch.Tensor) -> torch.Tensor:
        if grey.shape[-2] > 16 * 32:
            raise torch.OutOfMemoryError("CUDA out of memory")
        heights.append(grey.shape[-2] // 32)
        return network(grey)

    monkeypatch.setitem(dense.STRIP, "cpu", 16)
    monkeypatch.setattr(scorer, "_network", narrow)
    np.testing.assert_allclose(scan_densely(scorer, image, breast).scores, brightness_score(170 / 255), atol=2e-3)
    assert max(heights) <= 16
    monkeypatch.setattr(scorer, "_network", lambda grey: narrow(grey.new_zeros(1, 1, 9999, 32)))
    with pytest.raises(DeviceError) as caught:
        scan_densely(scorer, image, breast)
    assert caught.value.reason.code == "device-memory"


def test_what_shines_in_the_air_beside_the_breast_is_no_lesion(scorer: Scorer) -> None:
    """A dust spot near the skin once made windows that hold some breast suspicious (seen on a digitised film)."""
    image = np.full((1024, 512), 130, np.uint8)
    breast = np.zeros(image.shape, np.bool_)
    breast[200:800, :220] = True
    even = float(scan_densely(scorer, image, breast).scores.max())
    assert even == pytest.approx(brightness_score(130 / 255), abs=1e-3)
    image[480:560, 300:380] = 255  # in the air
    assert float(scan_densely(scorer, image, breast).scores.max()) == pytest.approx(even, abs=1e-3)
    image[480:560, 100:180] = 255  # in the breast
    assert float(scan_densely(scorer, image, breast).scores.max()) > 2 * even
