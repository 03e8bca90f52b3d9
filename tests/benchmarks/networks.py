"""Weights for measuring: ResNet50 with seeded random numbers, whose every image has findings."""

from pathlib import Path

import torch
from torch import nn

from benchmarks.options import Options
from inference.network import build_network
from inference.results import Grade, OperatingPoint
from inference.weights_file import WeightsHeader, save_weights

THRESHOLDS: dict[Grade, float] = {6: 0.52, 5: 0.5, 4: 0.4, 3: 0.3}
"""Random networks score about one half, so most windows are marked: the most work that findings can be."""


def write_weights(options: Options) -> Path:
    """Both modules' files, the same numbers every time. Returns their folder; they are made once a run."""
    folder = options.scratch / "weights"
    if folder.is_dir():
        return folder
    folder.mkdir(parents=True)
    for seed, (module, recipe) in enumerate(options.recipes.items()):
        torch.manual_seed(seed)
        network = _settled(build_network(recipe.network))
        points = tuple(
            OperatingPoint(grade=grade, threshold=threshold, sensitivity=0.5, specificity=0.5)
            for grade, threshold in THRESHOLDS.items()
        )
        header = WeightsHeader(
            name="benchmark", version="0", created="2026-01-01T00:00:00Z", recipe=recipe, thresholds=points
        )
        save_weights(folder / f"{module.value}.safetensors", network.state_dict(), header)
    return folder


def _settled(network: nn.Module) -> nn.Module:
    """Batch norms that fit the random convolutions, so that numbers keep a usual size through 50 layers."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 224, 224))
    return network.eval()
