"""A ResNet50 set by hand: its malignant evidence is how bright a place is. Small windows, so that tests are quick.

Every residual branch is off and one channel carries the grey level through the shortcuts, so
the score of a window can be worked out on paper: `brightness_score`.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from inference.network import build_network
from inference.recipe import MicrocalcificationWindows, Network, NoduleWindows, Normalisation, Recipe
from inference.results import Module, OperatingPoint
from inference.weights_file import WeightsHeader, save_weights

GAIN, OFFSET = 40.0, 0.6
"""Evidence (logit) of a place is GAIN * (its grey level in 0..1 - OFFSET)."""

POINTS = tuple(
    OperatingPoint(grade=grade, threshold=threshold, sensitivity=sensitivity, specificity=specificity)
    for grade, threshold, sensitivity, specificity in (
        (6, 0.9, 0.5, 0.99),
        (5, 0.7, 0.7, 0.95),
        (4, 0.5, 0.95, 0.8),
        (3, 0.3, 0.99, 0.6),
    )
)


def brightness_score(grey: float) -> float:
    """The score of an even window of this grey level, 0 to 1."""
    return float(1 / (1 + np.exp(-GAIN * (grey - OFFSET))))


def small_recipe(module: Module, **changes: object) -> Recipe:
    """The paper's rules at a quarter of its size, in 4 parts: height 1024, windows 200 and 100, network input 96."""
    windows: NoduleWindows | MicrocalcificationWindows = NoduleWindows(window=200, stride=20, separation=62, grid=2)
    if module is Module.MICROCALCIFICATION:
        windows = MicrocalcificationWindows(window=100, stride=50)
    recipe = Recipe(
        module=module,
        normalisation=Normalisation(height=1024),
        windows=windows,
        network=Network(input_size=96),
    )
    return recipe.model_copy(update=changes)


def small_header(module: Module, **changes: object) -> WeightsHeader:
    """A header with thresholds and no calibration."""
    header = WeightsHeader(
        name="brightness",
        version="0",
        created="2026-01-01T00:00:00Z",
        recipe=small_recipe(module),
        thresholds=POINTS,
        provenance={"data": "set by hand"},
    )
    return header.model_copy(update=changes)


def brightness_network(settings: Network) -> nn.Module:
    """(n, 3, s, s) -> (n, 2) logits, the second GAIN * (mean grey level - OFFSET) above the first."""
    network = build_network(settings)
    state = {name: torch.zeros_like(tensor) for name, tensor in network.state_dict().items()}
    for name, tensor in state.items():
        if name.endswith("running_var") or (name.endswith(".weight") and _carries(name)):
            tensor.fill_(1.0)
        if ".downsample.0.weight" in name:
            tensor[0, 0] = 1.0
    state["bn1.weight"].fill_(1.0)
    state["conv1.weight"][0, :, 3, 3] = torch.tensor(settings.std) / 3
    state["bn1.bias"][0] = sum(settings.mean) / 3
    state["fc.weight"][1, 0] = GAIN
    state["fc.bias"][1] = -GAIN * OFFSET
    network.load_state_dict(state)
    return network.eval()


def brightness_state(settings: Network) -> dict[str, Tensor]:
    """The tensors of `brightness_network`."""
    return dict(brightness_network(settings).state_dict())


def write_weights(folder: Path, **changes: object) -> Path:
    """Both modules' files in `folder`; `changes` go into the headers. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in Module:
        header = small_header(module, **changes)
        save_weights(folder / f"{module.value}.safetensors", brightness_state(header.recipe.network), header)
    return folder


def _carries(name: str) -> bool:
    """Batch norms of the shortcuts; those of the residual branches stay 0, which switches the branches off."""
    return ".downsample.1." in name
