"""The fastest way to run a network on this machine's processor, as long as it says the same."""

from collections.abc import Callable
from importlib.util import find_spec

import structlog
import torch
from torch import Tensor
from torch.nn import functional

from inference.evidence import EvidenceNetwork
from inference.recipe import Recipe

log = structlog.get_logger()

Network = Callable[[Tensor], Tensor]

AGREEMENT = 5e-3
"""How far scores of the probes may differ: half of what a finding's score may move by."""

_PROBES = 6


def fastest_on_cpu(network: EvidenceNetwork, recipe: Recipe) -> Network:
    """OpenVINO where it is installed and its scores of the probes agree with PyTorch's, else `network` itself.

    A dense scan gives one large image at a time, candidates many small ones.
    """
    if find_spec("openvino") is None:
        return network
    from inference.openvino_network import OpenVinoNetwork  # noqa: PLC0415 - an extra

    threads = torch.get_num_threads()
    streams = 1 if recipe.scan == "dense" else threads
    grey = probes(recipe.network.input_size)
    for precision in ("", "f32"):
        faster = OpenVinoNetwork(network, threads, streams, precision)
        if agree(network, faster, grey):
            return faster
        log.warning("OpenVINO's scores differ", precision=precision or "of the processor", module=recipe.module)
    return network


def agree(network: Network, faster: Network, grey: Tensor) -> bool:
    """Whether the scores of a batch of grey images are the same within AGREEMENT."""
    with torch.inference_mode():
        one, other = (run(grey).mean(dim=(1, 2)).sigmoid() for run in (network, faster))
    return bool((one - other).abs().max() <= AGREEMENT)


def probes(side: int) -> Tensor:
    """(6, 1, side, side) in 0..1: soft noise of several grains and contrasts, the same every time."""
    generator = torch.Generator().manual_seed(0)
    images = []
    for index in range(_PROBES):
        layers = [
            functional.interpolate(
                torch.rand((1, 1, grain, grain), generator=generator), size=(side, side), mode="bilinear"
            )
            for grain in (3, 12, 48)
        ]
        mixed = torch.stack(layers).mean(dim=0)
        images.append(((mixed - 0.5) * (1 + index) + 0.5).clamp(0, 1))
    return torch.cat(images)
