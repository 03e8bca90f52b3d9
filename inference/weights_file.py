"""One file that carries a trained network and everything that gives its scores a meaning.

A safetensors file (no pickle: reading it runs no code) in torchvision's names, float16 but for the batch
norms, whose metadata holds the header as JSON and a digest of the tensors.
"""

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from inference.atomic_file import write_atomically
from inference.calibration import Calibration
from inference.errors import WeightsError
from inference.network import CLASSES, build_network
from inference.recipe import RECIPE_VERSION, Recipe
from inference.results import Frozen, ModelIdentity, OperatingPoint, Reason

FORMAT_VERSION = 1
LARGEST_FILE = 200 << 20
"""Bytes; a ResNet50 in float32 has 94 MB."""


class WeightsHeader(Frozen):
    """What is said of a network: `thresholds` are the lower limits of grades 6, 5, 4 and 3 (image ROC).

    `provenance` tells data sets, terms, seed, commands; `figures` the evaluation; `created` is ISO 8601 UTC.
    """

    format: int = FORMAT_VERSION
    name: str
    version: str
    created: str
    recipe: Recipe
    classes: tuple[str, ...] = CLASSES
    thresholds: tuple[OperatingPoint, ...] = ()
    calibration: Calibration | None = None
    provenance: dict[str, Any] = Field(default_factory=dict)
    figures: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class TrainedModule:
    """A network (eval, float32, on the CPU until moved) with its header and the digest of its file."""

    header: WeightsHeader
    network: nn.Module
    sha256: str

    @property
    def recipe(self) -> Recipe:
        """Every number that makes a score mean something."""
        return self.header.recipe

    @property
    def identity(self) -> ModelIdentity:
        """Which network this is, for results. It speaks of no calibration: that is a site's to make."""
        return ModelIdentity(
            module=self.recipe.module,
            name=self.header.name,
            version=self.header.version,
            weights_sha256=self.sha256,
            recipe_sha256=self.recipe.sha256,
        )


def save_weights(path: Path, state: dict[str, Tensor], header: WeightsHeader) -> str:
    """Write the file atomically; returns its SHA-256.

    Raises WeightsError: the tensors are not this recipe's network, or hold NaN or values beyond float16.
    """
    stored = {name: _stored(name, tensor) for name, tensor in state.items() if "num_batches_tracked" not in name}
    _load_into_network(stored, header.recipe, path.name)
    metadata = {"mammonode": header.model_dump_json(), "tensors_sha256": _digest(stored)}
    data = safetensors.torch.save(stored, metadata)
    write_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def load_weights(path: Path) -> TrainedModule:
    """Read a weights file.

    Raises WeightsError: the file is missing, truncated, damaged, of another format or recipe than this version
    knows, or its tensors are not the recipe's network or not finite.
    """
    data = _read(path)
    metadata = _metadata(data, path.name)
    header = _header(metadata, path.name)
    try:
        tensors = safetensors.torch.load(data)
    except SafetensorError as error:
        raise damaged_weights(path.name, str(error)) from error
    if _digest(tensors) != metadata.get("tensors_sha256"):
        raise damaged_weights(path.name, "its tensors do not match their digest")
    return TrainedModule(
        header, _load_into_network(tensors, header.recipe, path.name), hashlib.sha256(data).hexdigest()
    )


def damaged_weights(name: str, what: str) -> WeightsError:
    """The error for a file that is not what was once written."""
    return _error(
        "weights-damaged", f"The weights file {name} is damaged: {what}.", "Install or copy the file again."
    )


def _error(code: str, text: str, remedy: str) -> WeightsError:
    return WeightsError(Reason(code=code, text=text, remedy=remedy))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise damaged_weights(path.name, f"it is larger than {LARGEST_FILE >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise _error(
            "weights-missing",
            f"The weights file {path} cannot be read: {error.strerror}.",
            "Set analysis.weights to the folder that holds it, or install the package again.",
        ) from error


def _metadata(data: bytes, name: str) -> dict[str, str]:
    """safetensors: 8 bytes of length, then JSON whose `__metadata__` is a table of strings."""
    try:
        (length,) = struct.unpack_from("<Q", data)
        metadata: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
        return {key: str(value) for key, value in metadata.items()}
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged_weights(name, f"it has no readable header ({type(error).__name__})") from error


def _header(metadata: dict[str, str], name: str) -> WeightsHeader:
    try:
        raw = json.loads(metadata["mammonode"])
        versions = raw["format"], raw["recipe"]["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged_weights(name, "it carries no recipe") from error
    known = FORMAT_VERSION, RECIPE_VERSION
    if versions != known:
        raise _unknown_recipe(name, f"format and recipe version {versions}, known are {known}")
    try:
        header = WeightsHeader.model_validate_json(metadata["mammonode"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _unknown_recipe(name, f"{where}: {first['msg']}") from error
    if header.classes != CLASSES:
        raise _unknown_recipe(name, f"classes {header.classes}, known are {CLASSES}")
    return header


def _unknown_recipe(name: str, what: str) -> WeightsError:
    return _error(
        "weights-recipe-unknown",
        f"The weights file {name} has a recipe that this version does not know ({what}).",
        "Use the version of mammonode it was made with, or weights made for this one.",
    )


def _stored(name: str, tensor: Tensor) -> Tensor:
    """Batch norm parameters and statistics are small and stay float32; the rest becomes float16."""
    is_norm = ".bn" in f".{name}" or ".downsample.1." in name
    return tensor.detach().cpu().to(torch.float32 if is_norm else torch.float16).contiguous()


def _load_into_network(tensors: dict[str, Tensor], recipe: Recipe, name: str) -> nn.Module:
    with torch.device("meta"):  # shapes alone: every number comes from the file
        network = build_network(recipe.network)
    counters = {key: torch.tensor(0) for key in network.state_dict() if "num_batches_tracked" in key}
    expected = {key: tensor.shape for key, tensor in network.state_dict().items() if key not in counters}
    if {key: tensor.shape for key, tensor in tensors.items()} != expected:
        raise _error(
            "weights-not-the-network",
            f"The weights file {name} does not hold a {recipe.network.architecture} with {len(CLASSES)} classes.",
            "Train it with mammonode-train fit, which writes files of the right shape.",
        )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise _error(
            "weights-not-finite",
            f"The weights file {name} holds NaN or infinite numbers.",
            "Train again with a lower learning rate, or use an earlier checkpoint.",
        )
    numbers = {key: tensor.float() for key, tensor in tensors.items()} | counters
    network.load_state_dict(numbers, assign=True)
    return network.eval()


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.view(torch.uint8).numpy().data if tensor.ndim else tensor.numpy().tobytes())
    return digest.hexdigest()
