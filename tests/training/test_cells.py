"""Pixels kept as cells, for a training of all above layer2."""

import numpy as np
import torch
from torch.nn import functional

from inference.results import Module
from training.augment import input_side
from training.cells import CELL, to_cells, turned
from training.maps import TrunkMap
from training.model import TrainedNetwork
from training.plan import default_plan, default_trunk
from training.runtime import Runtime
from training.tasks import MapTask

PLAN = default_plan(Module.MICROCALCIFICATION, "upper", 1)


def picture(rows: int, columns: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, (rows * CELL, columns * CELL)).astype(np.uint8)


def shuffled(cells: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> torch.Tensor:
    return functional.pixel_shuffle(torch.from_numpy(np.ascontiguousarray(cells)).permute(2, 0, 1)[None], CELL)[0, 0]


def test_cells_are_put_together_to_the_same_pixels() -> None:
    pixels = picture(3, 5)
    cells = to_cells(pixels)
    assert cells.shape == (3, 5, CELL * CELL)
    assert torch.equal(shuffled(cells.astype(np.float32)), torch.from_numpy(pixels).float())


def test_a_part_and_its_labels_are_turned_alike() -> None:
    pixels, labels = picture(4, 4), np.arange(9, dtype=np.int8).reshape(3, 3)
    seen = set()
    for seed in range(40):
        cells, new_labels = turned(to_cells(pixels).astype(np.float32), labels, np.random.default_rng(seed))
        seen.add(tuple(new_labels.flatten().tolist()))
        picture_turned = shuffled(cells).numpy()
        ways = [np.flip(np.rot90(pixels, n), 1) if m else np.rot90(pixels, n) for n in range(4) for m in (0, 1)]
        way = next(index for index, one in enumerate(ways) if np.array_equal(one, picture_turned))
        expected = np.rot90(labels, way // 2)
        assert np.array_equal(new_labels, np.flip(expected, 1) if way % 2 else expected)
    assert len(seen) == 8


def test_window_logits_of_cells_are_those_of_the_window() -> None:
    network = TrainedNetwork(PLAN, None).eval()
    side = input_side(PLAN)
    pixels = picture(side // CELL, side // CELL)
    cells = torch.from_numpy(to_cells(pixels).astype(np.float32)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        dense = network.window_logits(cells)  # (1, 2, 3, 3)
        alone = network(torch.from_numpy(pixels)[None, None].float() / 255)
    assert dense.shape == (1, 2, 3, 3)
    assert torch.allclose(dense[0, :, 1, 1], alone[0], atol=1e-4)


def test_all_above_layer2_learns_and_nothing_below() -> None:
    torch.set_num_threads(1)
    cells = np.zeros((24, 24, CELL * CELL), np.uint8)
    cells[8:16, 8:16] = 200
    labels = np.zeros((15, 15), np.int8)
    labels[6:9, 6:9] = 1
    maps = tuple(TrunkMap(cells, labels, f"set:P{number}", "set") for number in range(2))
    plan = PLAN.model_copy(update={"batch": 2})
    network = TrainedNetwork(plan, None).train()
    loss, scores, targets = MapTask(maps, np.arange(2), plan).step_loss(network, 0, Runtime(torch.device("cpu")))
    torch.autograd.backward(loss)
    learned = {name for name, parameter in network.resnet.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[0] for name in learned} == {"layer3", "layer4", "fc"}
    assert not any(name.startswith(("layer4.1", "layer4.2")) for name in learned)
    assert scores.shape == targets.shape
    assert int(targets.sum()) > 0


def test_what_a_machine_trains() -> None:
    nodule, small = Module.NODULE, Module.MICROCALCIFICATION
    assert {default_trunk(name, module, on_cpu=False) for name in ("default", "paper") for module in Module} == {
        "full"
    }
    assert default_trunk("default", small, on_cpu=True) == "upper"
    assert default_trunk("default", nodule, on_cpu=True) == "frozen"
    assert default_trunk("paper", small, on_cpu=True) == "frozen"
