"""An instance's pixels made ready for the networks, the next one while this one is scored."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import InferenceError
from inference.linking import Landmarks, find_landmarks
from inference.normalise import Normalised, normalise
from inference.pixels import GreyImage, read_grey
from inference.recipe import Recipe
from inference.results import Module, Reason
from inference.windows import Window, candidates


@dataclass(frozen=True)
class ModuleInput:
    """What one module looks at; `windows` is empty where its recipe scans densely."""

    normalised: Normalised
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class Prepared:
    """One image, for every module."""

    inputs: Mapping[Module, ModuleInput]
    landmarks: Landmarks | None

    @property
    def breast(self) -> NDArray[np.bool_]:
        """Which normalised pixels are breast."""
        return next(iter(self.inputs.values())).normalised.breast


def prepare(path: Path, recipes: Mapping[Module, Recipe], memory: int) -> Prepared:
    """Decode, normalise and choose windows, all on the CPU.

    Raises UnreadablePixelsError: the pixels cannot be decoded, are larger than `memory` bytes, or show no breast.
    """
    grey = read_grey(path, memory=memory)
    normalised = _normalised(grey, recipes)
    inputs = {
        module: ModuleInput(
            normalised[module], candidates(normalised[module], recipe) if recipe.scan == "candidates" else ()
        )
        for module, recipe in recipes.items()
    }
    return Prepared(inputs, find_landmarks(next(iter(normalised.values()))))


def prepare_ahead(
    paths: Sequence[Path], recipes: Mapping[Module, Recipe], memory: int
) -> Iterator[Prepared | Reason]:
    """Each image in order, or why it failed; one thread works one image ahead, so two are in memory at most."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare") as thread:
        ahead: deque[Future[Prepared | Reason]] = deque()
        for path in paths:
            ahead.append(thread.submit(_prepare_or_reason, path, recipes, memory))
            if len(ahead) == 2:
                yield ahead.popleft().result()
        if ahead:
            yield ahead.popleft().result()


def _prepare_or_reason(path: Path, recipes: Mapping[Module, Recipe], memory: int) -> Prepared | Reason:
    try:
        return prepare(path, recipes, memory)
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
