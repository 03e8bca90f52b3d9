"""ResNet50 (He et al. 2015, table 1) in torchvision's names; torchvision itself costs every node 170 MB of memory."""

from typing import cast

import torch
from torch import Tensor, nn

_EXPANSION = 4
"""Channels out of a block over those of its 3x3 convolution."""


class Bottleneck(nn.Module):
    """A residual block: (n, inputs, h, w) -> (n, 4 * width, h/stride, w/stride).

    The original network strides in the first 1x1 convolution (`stride_in_1x1`), torchvision's in the 3x3.
    """

    def __init__(self, inputs: int, width: int, stride: int, stride_in_1x1: bool) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        self.conv1 = nn.Conv2d(inputs, width, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, 4 * width, h/stride, w/stride)."""
        inner = self.relu(self.bn1(self.conv1(x)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        shortcut = x if self.downsample is None else self.downsample(x)
        return cast("Tensor", self.relu(inner + shortcut))


class ResNet50(nn.Module):
    """(n, 3, h, w) -> (n, classes) logits. Random weights as He et al. 2015b draw them."""

    def __init__(self, classes: int, stride_in_1x1: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(64, 64, 3, 1, stride_in_1x1)
        self.layer2 = _layer(256, 128, 4, 2, stride_in_1x1)
        self.layer3 = _layer(512, 256, 6, 2, stride_in_1x1)
        self.layer4 = _layer(1024, 512, 3, 2, stride_in_1x1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, classes)
        for module in self.modules():
            # on the meta device there are no numbers, and drawing them would load the compiler
            if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w), normalised as torchvision's input -> (n, classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (n, 64, h/4, w/4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (n, 2048, h/32, w/32)
        return cast("Tensor", self.fc(torch.flatten(self.avgpool(x), 1)))


def _layer(inputs: int, width: int, blocks: int, stride: int, stride_in_1x1: bool) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride, stride_in_1x1)
    others = (Bottleneck(_EXPANSION * width, width, 1, stride_in_1x1) for _ in range(blocks - 1))
    return nn.Sequential(first, *others)
