"""An instance's pixels made ready for the networks, the next ones while this one is scored."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.device import usable_cores
from inference.device_windows import candidates_on_device
from inference.errors import InferenceError
from inference.linking import Landmarks, find_landmarks
from inference.normalise import Normalised, normalise
from inference.pixels import GreyImage, read_grey
from inference.recipe import Recipe
from inference.results import Module, Reason
from inference.windows import Window, candidates

CPU = torch.device("cpu")

_VIEWS = 4


@dataclass(frozen=True)
class ModuleInput:
    """What one module looks at; `windows` is empty where its recipe scans densely.

    `on_device` are the normalised pixels (rows, columns) uint8 on the CUDA device, uploaded once for all modules.
    """

    normalised: Normalised
    windows: tuple[Window, ...]
    on_device: Tensor | None = None


@dataclass(frozen=True)
class Prepared:
    """One image, for every module."""

    inputs: Mapping[Module, ModuleInput]
    landmarks: Landmarks | None

    @property
    def breast(self) -> NDArray[np.bool_]:
        """Which normalised pixels are breast."""
        return next(iter(self.inputs.values())).normalised.breast


def prepare(path: Path, recipes: Mapping[Module, Recipe], memory: int, device: torch.device = CPU) -> Prepared:
    """Decode and normalise on the CPU, choose windows where the networks are.

    Raises UnreadablePixelsError: the pixels cannot be decoded, are larger than `memory` bytes, or show no breast.
    """
    grey = read_grey(path, memory=memory)
    normalised = _normalised(grey, recipes)
    uploaded: dict[int, Tensor] = {}
    inputs = {}
    for module, recipe in recipes.items():
        image = normalised[module]
        if device.type == "cuda" and id(image) not in uploaded:
            uploaded[id(image)] = torch.from_numpy(image.pixels).to(device)
        on_device = uploaded.get(id(image))
        inputs[module] = ModuleInput(image, _windows(image, on_device, recipe), on_device)
    return Prepared(inputs, find_landmarks(next(iter(normalised.values()))))


def _windows(image: Normalised, on_device: Tensor | None, recipe: Recipe) -> tuple[Window, ...]:
    if recipe.scan == "dense":
        return ()
    if on_device is None:
        return candidates(image, recipe)
    return candidates_on_device(on_device, torch.from_numpy(image.breast).to(on_device.device), recipe)


def prepare_ahead(
    paths: Sequence[Path], recipes: Mapping[Module, Recipe], memory: int, device: torch.device = CPU
) -> Iterator[Prepared | Reason]:
    """Each image in order, or why it failed.

    On the CPU one thread works one image ahead, so two are in memory at most; a CUDA device scores faster than one
    thread prepares, so there all four views of a study are prepared at once if there are cores for it.
    """
    threads = max(1, min(_VIEWS, usable_cores() - 1)) if device.type == "cuda" else 1
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="prepare") as pool:
        ahead: deque[Future[Prepared | Reason]] = deque()
        for path in paths:
            ahead.append(pool.submit(_prepare_or_reason, path, recipes, memory, device))
            if len(ahead) == threads + 1:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _prepare_or_reason(
    path: Path, recipes: Mapping[Module, Recipe], memory: int, device: torch.device
) -> Prepared | Reason:
    try:
        return prepare(path, recipes, memory, device)
    except InferenceError as error:
        return error.reason
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one image, the study's others go on
        return unexpected(error)


def unexpected(error: Exception) -> Reason:
    """The reason for an error nobody foresaw. Its message may quote the header, so only its kind is told."""
    return Reason(
        code="unreadable-image",
        text=f"The image cannot be read ({type(error).__name__}).",
        remedy="Send it again from its source; if it fails again, report the file's properties.",
    )


def _normalised(grey: GreyImage, recipes: Mapping[Module, Recipe]) -> dict[Module, Normalised]:
    """Once for all modules that want the same."""
    done: dict[str, Normalised] = {}
    result = {}
    for module, recipe in recipes.items():
        key = recipe.normalisation.model_dump_json() + recipe.breast.model_dump_json()
        if key not in done:
            done[key] = normalise(grey, recipe)
        result[module] = done[key]
    return result
