"""How large and how often: the figures of one run."""

from dataclasses import dataclass
from pathlib import Path

from inference.recipe import Recipe, paper_recipe
from inference.results import Module
from phantoms.weights import small_recipe


@dataclass(frozen=True)
class Options:
    """`rows` x `columns` are the images' pixels; 40 images of 17 MB and 500 objects of 52 KB arrive by default."""

    scratch: Path
    repeats: int = 5
    rows: int = 3328
    columns: int = 2560
    images: int = 40
    small_objects: int = 500
    studies: int = 1000
    waiting: tuple[int, ...] = (10, 100, 1000, 10_000)
    small: bool = False

    @property
    def recipes(self) -> dict[Module, Recipe]:
        """The paper's, or where everything is small a quarter of its size."""
        return {module: small_recipe(module) if self.small else paper_recipe(module) for module in Module}


def tiny(scratch: Path) -> Options:
    """Everything once and small: whether the benchmarks run at all."""
    return Options(
        scratch, 1, rows=256, columns=192, images=4, small_objects=8, studies=4, waiting=(2, 4), small=True
    )
