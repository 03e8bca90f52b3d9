"""The trained network in the form that inference runs: grey in, malignant evidence per place out.

It answers what ResNet50 with its softmax answers, faster, and says where the answer comes from.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from inference import recipe

STRIDE = 32
"""Input pixels between neighbouring places of the last feature map."""

_LAYERS = {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}
"""Input pixels between neighbouring places of each layer's maps."""

_STEM_REACH = 5
"""Input pixels that the first convolution and the pooling see to each side of a place's centre."""


class GreyStem(nn.Module):
    """First convolution, normalisation of the input and batch norm in one.

    The three channels of a grey image are equal, so their kernels add up. What the means take away depends on
    the place (zero padding stands for each channel's mean), hence an image instead of a bias: exact up to the
    border.
    """

    kernel: Tensor
    mean_kernel: Tensor
    bias: Tensor

    def __init__(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d, settings: recipe.Network) -> None:
        super().__init__()
        fused = fuse_conv_bn_eval(convolution, norm)
        assert fused.bias is not None  # the batch norm's shift
        std = torch.tensor(settings.std).view(1, 3, 1, 1)
        mean = torch.tensor(settings.mean).view(1, 3, 1, 1)
        kernel = fused.weight.detach() / std
        self.register_buffer("kernel", kernel.sum(dim=1, keepdim=True))
        self.register_buffer("mean_kernel", -(kernel * mean).sum(dim=1, keepdim=True))
        self.register_buffer("bias", fused.bias.detach())

    def forward(self, grey: Tensor) -> Tensor:
        """(n, 1, h, w) grey in 0..1 -> (n, 64, h/2, w/2), before the ReLU."""
        means = functional.conv2d(torch.ones_like(grey[:1]), self.mean_kernel, self.bias, stride=2, padding=3)
        return functional.conv2d(grey, self.kernel, stride=2, padding=3) + means


class EvidenceNetwork(nn.Module):
    """The trained network for grey input: (n, 1, h, w) in 0..1 -> (n, h/32, w/32) malignant evidence.

    Evidence is the difference of the two logits before global average pooling (class activation map, Zhou et al.
    2016, with the bias in). Its mean over the map is the logit of the malignant softmax score, exactly.
    Batch norms are folded into the convolutions; residual branches that training switched off are left out.

    `reach` is how many places to each side of a place its evidence depends on, rounded up.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, network: nn.Module, settings: recipe.Network) -> None:
        super().__init__()
        children = dict(network.eval().named_children())
        stem = GreyStem(cast("nn.Conv2d", children["conv1"]), cast("nn.BatchNorm2d", children["bn1"]), settings)
        layers = [_without_batch_norms(children[name]) for name in _LAYERS]
        pixels = _STEM_REACH + sum(
            spacing * sum(isinstance(block, _FoldedBottleneck) for block in layer)
            for layer, spacing in zip(layers, _LAYERS.values(), strict=True)
        )
        self.reach = -(-pixels // STRIDE)
        self.body = nn.Sequential(stem, nn.ReLU(inplace=True), children["maxpool"], *layers)
        fc = cast("nn.Linear", children["fc"])
        control, malignant = 0, 1
        weight = (fc.weight[malignant] - fc.weight[control]).detach()
        self.register_buffer("weight", weight.view(1, -1, 1, 1).clone())
        self.register_buffer("bias", (fc.bias[malignant] - fc.bias[control]).detach().view(1).clone())

    def forward(self, grey: Tensor) -> Tensor:
        """(n, 1, h, w) -> (n, h/32, w/32), float32."""
        features = self.body(grey)  # (n, 2048, h/32, w/32)
        return functional.conv2d(features, self.weight, self.bias).squeeze(1).float()


class _FoldedBottleneck(nn.Module):
    """One residual block without batch norms, (n, c, h, w) -> (n, c', h/stride, w/stride)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        parts = dict(block.named_children())
        for index in (1, 2, 3):
            fused = fuse_conv_bn_eval(
                cast("nn.Conv2d", parts[f"conv{index}"]), cast("nn.BatchNorm2d", parts[f"bn{index}"])
            )
            self.add_module(f"conv{index}", fused)
        self.downsample: nn.Module = nn.Identity()
        if "downsample" in parts:
            convolution, norm = parts["downsample"].children()
            self.downsample = fuse_conv_bn_eval(cast("nn.Conv2d", convolution), cast("nn.BatchNorm2d", norm))

    @property
    def adds_nothing(self) -> bool:
        """Whether the branch ends in zeros, whatever comes in."""
        last = cast("nn.Conv2d", self.get_submodule("conv3"))
        assert last.bias is not None  # the batch norm's shift
        return not (last.weight.any() or last.bias.any())

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c', h/stride, w/stride)."""
        inner = functional.relu(self.get_submodule("conv1")(x), inplace=True)
        inner = functional.relu(self.get_submodule("conv2")(inner), inplace=True)
        inner = self.get_submodule("conv3")(inner)
        return functional.relu(inner.add_(self.downsample(x)), inplace=True)


def _without_batch_norms(layer: nn.Module) -> nn.Sequential:
    """The layer's blocks; of one whose branch adds nothing only the shortcut is left, or nothing at all."""
    blocks: list[nn.Module] = []
    for block in layer.children():
        folded = _FoldedBottleneck(block)
        if not folded.adds_nothing:
            blocks.append(folded)
        elif isinstance(folded.downsample, nn.Conv2d):
            blocks.append(nn.Sequential(folded.downsample, nn.ReLU(inplace=True)))
        # what comes in has been through a ReLU, so without a branch it goes out as it came
    return nn.Sequential(*blocks)
