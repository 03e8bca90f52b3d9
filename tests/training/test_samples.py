"""Samples are what inference sees; augmentation and drawing follow the seed."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.results import Module
from inference.scoring import grey_batch
from inference.windows import Window, candidates
from training.annotations import read_annotations
from training.augment import augmented, input_side, unchanged
from training.draws import draw_balanced, passes
from training.images import prepare
from training.labels import Label
from training.plan import default_plan, paper_plan
from training.samples import build_patches, cut_patch, image_samples
from training.simulate import decoy, simulate_lesion


@pytest.mark.parametrize("module", list(Module))
def test_the_middle_of_a_patch_is_what_inference_sees(nodule_data: Path, module: Module) -> None:
    plan = default_plan(module, "full", 1).model_copy(update={"margin": 0})
    pixels = prepare(read_annotations([nodule_data]).images[0], plan.recipe).normalised.pixels
    windows = [Window(400, 900, plan.recipe.windows.window), Window(-100, 3800, plan.recipe.windows.window)]
    seen = grey_batch(pixels, windows, plan.recipe)
    patches = torch.from_numpy(np.stack([cut_patch(pixels, window, plan.recipe) for window in windows]))
    assert torch.allclose(unchanged(patches, plan), seen, atol=0.5 / 255 + 1e-4)


def test_coordinates_are_carried_into_normalised_pixels(nodule_data: Path) -> None:
    plan = paper_plan(Module.NODULE, "full", 1)
    prepared = prepare(read_annotations([nodule_data]).images[0], plan.recipe)
    (lesion,) = prepared.lesions
    assert np.allclose((lesion.outline.min(axis=0) + lesion.outline.max(axis=0)) / 2, np.array([90, 200]) * 8)
    assert prepared.detail == 8


def test_unstretching_moves_the_lesion_with_the_pixels(nodule_data: Path) -> None:
    plan = paper_plan(Module.NODULE, "full", 1)
    image = read_annotations([nodule_data]).images[0]
    prepared = prepare(image, plan.recipe, width_over_height=224 / 1024)
    assert prepared.normalised.pixels.shape == (4096, 896)
    (lesion,) = prepared.lesions
    middle = (lesion.outline.min(axis=0) + lesion.outline.max(axis=0)) / 2
    assert np.allclose(middle, [90 * 4, 200 * 8], atol=1)


def test_the_papers_samples_are_the_candidates(nodule_data: Path) -> None:
    plan = paper_plan(Module.NODULE, "full", 1)
    prepared = prepare(read_annotations([nodule_data]).images[0], plan.recipe)
    samples = [sample for sample, _ in image_samples(prepared, plan, np.random.default_rng(1))]
    assert 0 < len(samples) <= len(candidates(prepared.normalised, plan.recipe)) <= 27
    assert Counter(sample.label for sample in samples)[Label.CASE] >= 1


def test_simulated_pairs_differ_only_in_the_middle(nodule_data: Path) -> None:
    plan = default_plan(Module.MICROCALCIFICATION, "full", 1)
    prepared = prepare(read_annotations([nodule_data]).images[1], plan.recipe)
    pixels, window = prepared.normalised.pixels, Window(300, 1800, 400)
    drawn, reach = simulate_lesion(pixels, window, Module.MICROCALCIFICATION, np.random.default_rng(1), 1.0)
    tissue = pixels[1600:2400, 100:900]
    changed = drawn.astype(int) - tissue
    assert drawn.shape == (800, 800)
    assert changed[200:600, 200:600].max() > 30
    assert not changed[:200].any()
    assert (changed >= 0).all()
    assert 0.02 <= reach <= 0.3
    again, _ = simulate_lesion(pixels, window, Module.MICROCALCIFICATION, np.random.default_rng(1), 1.0)
    assert np.array_equal(drawn, again)
    blurred, _ = simulate_lesion(pixels, window, Module.MICROCALCIFICATION, np.random.default_rng(1), 4.0)
    assert np.abs(np.diff(blurred - tissue.astype(int))).max() < np.abs(np.diff(changed)).max()
    assert decoy(pixels, window, np.random.default_rng(2)).shape == (800, 800)


def test_augmentation_follows_its_generator_and_never_leaves_the_reach() -> None:
    plan = default_plan(Module.NODULE, "full", 1).model_copy(
        update={"rotation": 0.0, "zoom": 0.0, "stretch": 0.0, "contrast": 0.0, "mirrored": False, "shift": 0.3}
    )
    patches = torch.zeros((64, 320, 320), dtype=torch.uint8)
    patches[:, 155:165, 155:165] = 255
    reach = torch.full((64,), 0.25)
    first = augmented(patches, reach, plan, torch.Generator().manual_seed(5))
    assert torch.equal(first, augmented(patches, reach, plan, torch.Generator().manual_seed(5)))
    assert first.shape == (64, 1, input_side(plan), input_side(plan))
    rows = torch.stack([torch.nonzero(image[0] > 0.5).float().mean(dim=0) for image in first])
    offset = (rows - input_side(plan) / 2).abs().max()
    assert 20 < offset <= 0.25 * 160 + 1


def test_balanced_draws_never_let_the_data_set_tell_the_label() -> None:
    cells = {
        (True, "a", False): np.arange(100),
        (True, "b", False): np.arange(100, 104),
        (False, "a", False): np.arange(200, 205),
        (False, "b", False): np.arange(300, 1300),
    }
    random = np.random.default_rng(1)
    share = {
        case: np.mean(
            [
                index in cells[case, "a", False]
                for index in (draw_balanced(cells, case, 0.0, random) for _ in range(4000))
            ]
        )
        for case in (True, False)
    }
    assert share[True] == pytest.approx(share[False], abs=0.03)


def test_passes_show_every_sample_once_an_epoch() -> None:
    among = np.arange(10, 21)
    seen = np.concatenate([passes(among, 4, step, seed=1) for step in range(3)])
    assert sorted(seen.tolist()) == among.tolist()
    assert passes(among, 4, 3, seed=1).tolist() != passes(among, 4, 0, seed=1).tolist()


def test_patches_of_a_data_set(nodule_data: Path) -> None:
    plan = default_plan(Module.NODULE, "full", 1)
    images = read_annotations([nodule_data]).images[:4]
    broken = nodule_data / "0.png"
    source = build_patches(images, plan, torch.device("cpu"))
    assert source.patches.shape == (len(source.samples), 320, 320)
    assert sum(sample.label is Label.CASE for sample in source.samples) == 2
    broken.write_bytes(b"no image")
    source = build_patches(images, plan, torch.device("cpu"))
    assert source.skipped[0].startswith("0.png: ")
