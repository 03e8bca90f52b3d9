"""Windows into batches, batches into scores, in whatever memory there is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference.errors import DeviceError
from inference.recipe import Network
from inference.results import Module
from inference.scorer import Scorer
from inference.scoring import area_weights, grey_batch, window_batch
from inference.weights_file import TrainedModule, load_weights
from inference.windows import Window
from phantoms.weights import brightness_score, small_recipe

CPU = torch.device("cpu")
RECIPE = small_recipe(Module.NODULE)


@pytest.fixture(scope="module")
def trained(weights: Path) -> TrainedModule:
    return load_weights(weights / "nodule.safetensors")


@pytest.fixture
def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (400, 300), dtype=np.uint8)


def test_shrinking_a_window_averages_areas(noise: NDArray[np.uint8]) -> None:
    recipe = RECIPE.model_copy(update={"network": Network(input_size=100)})
    batch = grey_batch(noise, [Window(10, 20, 200)], recipe)
    crop = noise[20:220, 10:210].astype(np.float64)
    expected = crop.reshape(100, 2, 100, 2).mean(axis=(1, 3)) / 255
    assert batch.shape == (1, 1, 100, 100)
    np.testing.assert_allclose(batch[0, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("size", [200, 77, 50])
def test_device_and_cpu_batches_agree(noise: NDArray[np.uint8], size: int) -> None:
    windows = [Window(0, 0, size), Window(13, 29, size), Window(-20, -5, size), Window(260, 370, size)]
    on_cpu = grey_batch(noise, windows, RECIPE)
    on_device = grey_batch(torch.from_numpy(noise), windows, RECIPE)
    if size >= 96:
        torch.testing.assert_close(on_device, on_cpu, rtol=0, atol=1e-5)
    assert on_device.shape == on_cpu.shape == (4, 1, 96, 96)


def test_area_weights_are_the_shares_of_the_pixels() -> None:
    np.testing.assert_allclose(area_weights(5, 2).numpy(), [[0.4, 0.4, 0.2, 0, 0], [0, 0, 0.2, 0.4, 0.4]], atol=1e-7)


def test_beyond_the_image_is_background(noise: NDArray[np.uint8]) -> None:
    batch = grey_batch(noise, [Window(-200, 0, 200), Window(0, 300, 200)], RECIPE)
    assert float(batch[0].max()) == 0
    assert float(batch[1, 0, 48:].max()) == 0
    assert float(batch[1, 0, :48].min()) > 0


def test_window_batch_is_what_torchvision_networks_take(noise: NDArray[np.uint8]) -> None:
    batch = window_batch(np.full_like(noise, 255), [Window(0, 0, 200)], RECIPE, "cpu")
    assert batch.shape == (1, 3, 96, 96)
    for channel, (mean, std) in enumerate(zip(RECIPE.network.mean, RECIPE.network.std, strict=True)):
        np.testing.assert_allclose(batch[0, channel].numpy(), (1 - mean) / std, atol=1e-5)


def test_scores_of_even_windows_are_exact(trained: TrainedModule) -> None:
    image = np.zeros((400, 600), np.uint8)
    image[:, :200], image[:, 200:400], image[:, 400:] = 130, 153, 170
    scored = Scorer(trained, CPU).score(image, [Window(0, 0, 200), Window(200, 100, 200), Window(400, 200, 200)])
    expected = [brightness_score(grey / 255) for grey in (130, 153, 170)]
    np.testing.assert_allclose(scored.scores, expected, atol=2e-3)
    assert scored.scores.dtype == np.float32
    assert scored.evidence.shape == (3, 3, 3)
    np.testing.assert_allclose(1 / (1 + np.exp(-scored.evidence.mean(axis=(1, 2)))), scored.scores, atol=1e-6)


def test_windows_of_several_images_share_batches(trained: TrainedModule, noise: NDArray[np.uint8]) -> None:
    scorer, network = Scorer(trained, CPU), Narrow(100)
    images = [
        (noise, [Window(x, 0, 100) for x in range(0, 200, 20)]),
        (torch.from_numpy(noise[::-1].copy()), []),
        (torch.from_numpy(noise[:, ::-1].copy()), [Window(0, y, 120) for y in range(0, 90, 10)]),
    ]
    apart = [scorer.score(pixels, windows) for pixels, windows in images]
    together = scorer.score_images(images)
    for mine, theirs in zip(together, apart, strict=True):
        assert mine.windows == theirs.windows
        np.testing.assert_allclose(mine.scores, theirs.scores, atol=1e-5)
        np.testing.assert_allclose(mine.evidence, theirs.evidence, atol=1e-4)
    scorer._network = network
    scorer.score_images(images)
    assert network.batches == [8, 8, 3]
    assert scorer.score_images([]) == []


def test_no_windows_no_scores(trained: TrainedModule) -> None:
    scored = Scorer(trained, CPU).score(np.zeros((400, 300), np.uint8), [])
    assert scored.scores.shape == (0,)
    assert scored.evidence.shape == (0, 3, 3)


def test_flips_are_averaged(trained: TrainedModule, noise: NDArray[np.uint8]) -> None:
    noise[:, :150] //= 2
    window = [Window(50, 100, 200)]
    once = Scorer(trained, CPU).score(noise, window)
    mirrored = Scorer(trained, CPU).score(np.ascontiguousarray(noise[:, ::-1]), [Window(50, 100, 200)])
    recipe = trained.recipe.model_copy(update={"flips": 2})
    header = trained.header.model_copy(update={"recipe": recipe})
    both = Scorer(TrainedModule(header, trained.network, trained.sha256), CPU).score(noise, window)
    np.testing.assert_allclose(both.scores, (once.scores + mirrored.scores) / 2, atol=1e-6)
    np.testing.assert_allclose(both.evidence, (once.evidence + mirrored.evidence[..., ::-1]) / 2, atol=1e-5)


class Narrow:
    """Stands in for a network on a device that holds `limit` windows at a time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.batches: list[int] = []

    def __call__(self, grey: torch.Tensor) -> torch.Tensor:
        if len(grey) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.batches.append(len(grey))
        return grey.mean(dim=(1, 2, 3)).view(-1, 1, 1).expand(-1, 3, 3)


def test_out_of_memory_halves_the_batch_and_goes_on(trained: TrainedModule, noise: NDArray[np.uint8]) -> None:
    scorer = Scorer(trained, CPU)
    windows = [Window(x, y, 100) for x in range(0, 200, 20) for y in (0, 100)]
    whole = Narrow(100)
    scorer._network = whole
    expected = scorer.score(noise, windows)
    narrow = Narrow(3)
    scorer._network = narrow
    scored = scorer.score(noise, windows)
    np.testing.assert_array_equal(scored.scores, expected.scores)
    assert whole.batches == [8, 8, 4]
    assert narrow.batches == [2] * 10
    scorer.score(noise, windows[:4])
    assert narrow.batches[10:] == [2, 2]  # it does not try in vain again


def test_a_device_without_room_for_one_window_says_so(trained: TrainedModule, noise: NDArray[np.uint8]) -> None:
    scorer = Scorer(trained, CPU)
    scorer._network = Narrow(0)
    with pytest.raises(DeviceError) as caught:
        scorer.score(noise, [Window(0, 0, 100)])
    assert caught.value.reason.code == "device-memory"
    assert "analysis.device" in caught.value.reason.remedy


def test_windows_at_the_networks_own_size_are_not_resampled(noise: NDArray[np.uint8]) -> None:
    batch = grey_batch(noise, [Window(5, 7, 96)], RECIPE)
    np.testing.assert_allclose(batch[0, 0].numpy() * 255, noise[7:103, 5:101], atol=1e-4)
