"""The network while it is trained: the part that stays and the part that learns."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.evidence import STRIDE
from inference.network import StartWeights, build_network, load_start_weights
from inference.scoring import to_network_input
from training.cells import CELL
from training.plan import Plan

TRUNK = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3.0", "layer3.1", "layer3.2", "layer3.3")
"""What a frozen trunk is: its output is worked out once for an image."""
REST = ("layer3.4", "layer3.5", "layer4.0", "layer4.1", "layer4.2")


class TrainedNetwork(nn.Module):
    """ResNet50 that gives the logits of a window, whose neighbourhood it may see (`plan.margin`).

    A frozen trunk (stem to layer3.3) is run by `trunk_features`, once for an image, and `window_logits` takes its
    output; where all above layer2 learns, it takes pixels. Batch norms stay as they are in both.
    """

    def __init__(self, plan: Plan, start: StartWeights) -> None:
        super().__init__()
        self.plan = plan
        torch.manual_seed(plan.seed)  # the last layer's random start
        self.resnet = build_network(plan.recipe.network)
        load_start_weights(self.resnet, start)
        if plan.trunk != "full":
            learned = tuple(f"{block}." for block in (*plan.learned, "fc"))
            for name, parameter in self.resnet.named_parameters():
                parameter.requires_grad = name.startswith(learned)
            for block in ("layer4.1", "layer4.2"):
                if block not in plan.learned:
                    pass_on(self.resnet.get_submodule(block))

    def train(self, mode: bool = True) -> "TrainedNetwork":
        """Batch norms learn their statistics only where the whole network is trained."""
        super().train(mode)
        if self.plan.trunk != "full":
            self.resnet.eval()
        return self

    def forward(self, grey: Tensor) -> Tensor:
        """(n, 1, s, s) grey in 0..1, margin included, -> (n, 2) logits of the windows in the middle."""
        features = self._rest(self.trunk_features(grey))  # (n, 2048, places, places)
        inner = self.plan.recipe.network.input_size // STRIDE
        first = (features.shape[-1] - inner) // 2
        window = features[:, :, first : first + inner, first : first + inner]
        return cast("Tensor", self._child("fc")(window.mean(dim=(2, 3))))

    def window_logits(self, cells: Tensor) -> Tensor:
        """(n, k, rows, columns) -> (n, 2, window rows, window columns), 32 input pixels apart.

        Of a cell `k` is what a frozen trunk says, 1,024 numbers, or its CELL x CELL pixels, 0 to 255.
        """
        if self.plan.trunk == "upper":
            cells = self.trunk_features(functional.pixel_shuffle(cells, CELL) / 255)
        features = self._rest(cells)
        inner = self.plan.recipe.network.input_size // STRIDE
        pooled = functional.avg_pool2d(features, inner, stride=1)
        fc = cast("nn.Linear", self._child("fc"))
        return functional.conv2d(pooled, fc.weight[:, :, None, None], fc.bias)

    def trunk_features(self, grey: Tensor) -> Tensor:
        """(n, 1, s, s) grey in 0..1 -> (n, 1024, s/16, s/16), channels last."""
        features = to_network_input(grey, self.plan.recipe.network).contiguous(memory_format=torch.channels_last)
        for name in TRUNK:
            features = self._child(name)(features)
        return features

    def _rest(self, features: Tensor) -> Tensor:
        for name in REST:
            if self.plan.trunk == "full" or name not in ("layer4.1", "layer4.2") or name in self.plan.learned:
                features = self._child(name)(features)  # a block that passes on need not be run
        return features

    def _child(self, name: str) -> nn.Module:
        return self.resnet.get_submodule(name)


def pass_on(block: nn.Module) -> None:
    """Make a residual block give what it gets (which is never negative): nothing is added to it."""
    norm = cast("nn.BatchNorm2d", block.get_submodule("bn3"))
    nn.init.zeros_(norm.weight)
    nn.init.zeros_(norm.bias)
