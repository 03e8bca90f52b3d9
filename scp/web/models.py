"""Which models the node would load, read from the weights files' headers without loading a network."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

import inference
from config.analysis import Analysis
from inference.recipe import Recipe
from inference.results import ModelIdentity

SHIPPED = Path(inference.__file__).parent / "weights"


def models_on_disk(analysis: Analysis) -> tuple[ModelIdentity, ...]:
    """The identities of the modules that are switched on; a missing or damaged file is left out."""
    folder = analysis.weights or SHIPPED
    found = (_identity_of(folder / f"{module}.safetensors") for module in analysis.modules)
    return tuple(model for model in found if model is not None)


def _identity_of(path: Path) -> ModelIdentity | None:
    if not path.is_file():
        return None
    return _identity(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _identity(path: Path, _changed: int) -> ModelIdentity | None:
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["mammonode"])
        recipe = Recipe.model_validate(header["recipe"])
    except (SafetensorError, OSError, KeyError, ValueError, ValidationError):
        return None
    return ModelIdentity(
        module=recipe.module,
        name=header["name"],
        version=header["version"],
        weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        recipe_sha256=recipe.sha256,
    )
