"""An instance's pixels made ready for the networks, the next ones while this one is scored."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.device import usable_cores
from inference.device_normalise import normalise_on_device
from inference.device_windows import candidates_on_device
from inference.errors import InferenceError
from inference.geometry import Affine
from inference.linking import Landmarks, find_landmarks
from inference.normalise import normalise
from inference.pixels import GreyImage, read_grey
from inference.recipe import Recipe
from inference.results import Module, Reason
from inference.windows import Window, candidates

CPU = torch.device("cpu")

_VIEWS = 4

T = TypeVar("T")


@dataclass(frozen=True)
class ModuleInput:
    """What one module looks at; `windows` is empty where its recipe scans densely.

    `pixels` uint8 and `breast`, both (rows, columns) of the normalised image; the pixels lie on the CUDA device where
    there is one, the same for all modules. `map` carries normalised points to stored ones.
    """

    pixels: NDArray[np.uint8] | Tensor
    breast: NDArray[np.bool_]
    map: Affine
    windows: tuple[Window, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the normalised image."""
        return self.breast.shape[0], self.breast.shape[1]


@dataclass(frozen=True)
class Prepared:
    """One image, for every module."""

    inputs: Mapping[Module, ModuleInput]
    landmarks: Landmarks | None

    @property
    def breast(self) -> NDArray[np.bool_]:
        """Which normalised pixels are breast."""
        return next(iter(self.inputs.values())).breast


def prepare(path: Path, recipes: Mapping[Module, Recipe], memory: int, device: torch.device = CPU) -> Prepared:
    """Decode on the CPU, normalise and choose windows where the networks are.

    Raises UnreadablePixelsError: the pixels cannot be decoded, are larger than `memory` bytes, or show no breast.
    """
    grey = read_grey(path, memory=memory)
    work = input_on_cpu if device.type == "cpu" else partial(input_on_device, device=device)
    inputs = work(grey, recipes)
    first = next(iter(inputs.values()))
    return Prepared(inputs, find_landmarks(first.breast, first.map))


def input_on_cpu(grey: GreyImage, recipes: Mapping[Module, Recipe]) -> dict[Module, ModuleInput]:
    """By OpenCV and NumPy."""
    images = _once_each(recipes, lambda recipe: normalise(grey, recipe))
    return {
        module: ModuleInput(
            image.pixels, image.breast, image.map, () if recipe.scan == "dense" else candidates(image, recipe)
        )
        for module, recipe, image in images
    }


def input_on_device(
    grey: GreyImage, recipes: Mapping[Module, Recipe], device: torch.device
) -> dict[Module, ModuleInput]:
    """By PyTorch on `device`: the grey image goes up once, and no pixel of it comes back."""
    images = _once_each(recipes, lambda recipe: normalise_on_device(grey, recipe, device))
    return {
        module: ModuleInput(
            image.pixels,
            image.breast_here,
            image.map,
            () if recipe.scan == "dense" else candidates_on_device(image.pixels, image.breast, recipe),
        )
        for module, recipe, image in images
    }


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


def _once_each(recipes: Mapping[Module, Recipe], normalised: Callable[[Recipe], T]) -> list[tuple[Module, Recipe, T]]:
    """The image of each module, made once for all that want the same."""
    done: dict[str, T] = {}
    for recipe in recipes.values():
        if (key := _form(recipe)) not in done:
            done[key] = normalised(recipe)
    return [(module, recipe, done[_form(recipe)]) for module, recipe in recipes.items()]


def _form(recipe: Recipe) -> str:
    return recipe.normalisation.model_dump_json() + recipe.breast.model_dump_json()
