"""The ResNet50 of He et al. 2015 with two classes, and its start weights."""

from pathlib import Path
from typing import Literal, cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from inference import recipe
from inference.errors import WeightsError
from inference.resnet import ResNet50
from inference.results import Reason

CLASSES = ("control", "malignant")
"""The order of the network's two outputs."""

StartWeights = Path | Literal["torchvision"] | None


def build_network(settings: recipe.Network) -> nn.Module:
    """ResNet50 with two classes and random weights: (n, 3, s, s) float -> (n, 2) logits, in the order of CLASSES.

    The paper's environment has the original network, whose down-sampling blocks stride in their first 1x1
    convolution; torchvision's strides in the 3x3. Names and shapes of the weights are the same.
    """
    return ResNet50(len(CLASSES), settings.stride_in_1x1)


def load_start_weights(network: nn.Module, source: StartWeights) -> None:
    """Put ImageNet weights into all of `network` but its last layer, which keeps its random start.

    `source` is a safetensors or .pth file in torchvision's names, 'torchvision' (downloads), or None (random).
    Raises WeightsError: the file cannot be read, or a tensor other than `fc` and `num_batches_tracked` is
    missing, unknown or has another shape.
    """
    if source is None:
        return
    state = {name: tensor for name, tensor in _read_state(source).items() if not name.startswith("fc.")}
    try:
        missing, unknown = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise _start_weights_error(f"have other shapes than ResNet50's: {error}") from error
    missing = [name for name in missing if not name.startswith("fc.") and not name.endswith("num_batches_tracked")]
    if missing or unknown:
        raise _start_weights_error(f"do not fit ResNet50: missing {missing[:3]}, unknown {unknown[:3]}.")


def _read_state(source: Path | Literal["torchvision"]) -> dict[str, Tensor]:
    if source == "torchvision":
        from torchvision.models import ResNet50_Weights  # noqa: PLC0415 - 170 MB of memory that no node needs

        return cast("dict[str, Tensor]", ResNet50_Weights.IMAGENET1K_V1.get_state_dict(progress=True))
    try:
        if source.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(source))
        return cast("dict[str, Tensor]", torch.load(source, map_location="cpu", weights_only=True))
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise _start_weights_error(f"cannot be read from {source.name}: {error}") from error


def _start_weights_error(what: str) -> WeightsError:
    return WeightsError(
        Reason(
            code="start-weights-unfit",
            text=f"The start weights {what}",
            remedy="Name a ResNet50 in torchvision's names (.safetensors or .pth), 'torchvision', or 'none'.",
        )
    )
