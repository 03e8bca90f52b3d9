"""The recipe: every number that makes a score mean something, frozen, stored in the weights, hashed.

A recipe is the model's, never an operator's setting. Defaults are the paper's numbers (quantusMM,
medRxiv 2022.10.11.22280939, 'Materials and Methods').
"""

import hashlib
import json
from typing import Literal

from inference.results import Frozen, Module

RECIPE_VERSION = 1


class Normalisation(Frozen):
    """Paper, 'Image normalization': MONOCHROME2, CLAHE, height 4096."""

    height: int = 4096
    levels: Literal[256] = 256
    """Grey levels before CLAHE: one count for every source, so that 8 to 16 bits stored give the same image."""
    clip_limit: float = 2.0
    tile_grid: int = 8


class NoduleWindows(Frozen):
    """Paper, 'Malignant nodules prediction'. The sweep holds full windows only: starts 0, stride, 2 stride, ..."""

    rule: Literal["nodule"] = "nodule"
    window: int = 800
    stride: int = 40
    grid: int = 3
    per_part: int = 3
    separation: int = 250
    sigma_over_window: float = 0.25
    weight_levels: int = 128
    """The centre weights are whole numbers up to this: brightness is exact, and the same on every machine."""


class MicrocalcificationWindows(Frozen):
    """Paper, 'Malignant microcalcification prediction'. Full windows only, as above; bright means in the breast."""

    rule: Literal["microcalcification"] = "microcalcification"
    window: int = 400
    stride: int = 200
    brightness: float = 0.9


class Breast(Frozen):
    """Breast segmentation, worked out at `height` pixels; smaller than `least_area` of the image is no breast.

    The threshold lies `skin` of the way from the air to Otsu's, which alone cuts thin tissue off.
    A window counts when at least `least_breast` of it is breast; in the candidate rules, what lies outside the
    breast is black.
    """

    method: Literal["otsu-largest-component"] = "otsu-largest-component"
    height: int = 512
    skin: float = 0.5
    least_area: float = 0.02
    least_breast: float = 0.1


class Network(Frozen):
    """ResNet50 of He et al. 2015: stride in the first 1x1 convolution of a block."""

    architecture: Literal["resnet50"] = "resnet50"
    stride_in_1x1: bool = True
    input_size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class Recipe(Frozen):
    """All of it. `scan` says which windows are scored: the paper's candidates, or every place (dense heat map)."""

    version: int = RECIPE_VERSION
    module: Module
    normalisation: Normalisation = Normalisation()
    breast: Breast = Breast()
    windows: NoduleWindows | MicrocalcificationWindows
    network: Network = Network()
    scan: Literal["candidates", "dense"] = "candidates"
    flips: int = 1
    """Test-time flips averaged: 1 none, 2 left-right."""

    @property
    def sha256(self) -> str:
        """Digest of the canonical JSON: two recipes agree exactly when these do."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def paper_recipe(module: Module) -> Recipe:
    """The paper to the letter, for one module."""
    windows = NoduleWindows() if module is Module.NODULE else MicrocalcificationWindows()
    return Recipe(module=module, windows=windows)
