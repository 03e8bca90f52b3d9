"""How the images of a study hang: R left, L right, CC over MLO, chest walls together.

Stored pixels are never changed. Where an image's anatomy runs the other way, the viewer mirrors the *display*
(as one turns a film over), says so, and lets the reader turn it back. The side on which the chest wall is seen in
the pixels decides; where that is unclear, PatientOrientation (PS3.3 C.7.6.1.1.1). Up and down follow
PatientOrientation alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.view import STANDARD_VIEWS

Side = Literal["left", "right"]
Basis = Literal["PatientOrientation", "pixels", "unknown"]

CLEAR_MAJORITY = 1.5
"""How much brighter one edge must be than the other before it is called the chest wall."""


@dataclass(frozen=True)
class Turn:
    """How the viewer shows an image. `conflict`: header and pixels name different sides for the chest wall."""

    mirror: bool
    flip: bool
    chest_wall: Side
    basis: Basis
    conflict: bool = False


def chest_wall_side(pixels: NDArray[np.uint8]) -> Side | None:
    """The side of the stored image at which tissue meets the edge; None where neither edge clearly has more.

    `pixels`: (rows, columns), MONOCHROME2. Tissue is what is brighter than a tenth of the range.
    """
    strip = max(1, pixels.shape[1] // 20)
    threshold = int(pixels.min()) + (int(pixels.max()) - int(pixels.min())) // 10
    left = int((pixels[:, :strip] > threshold).sum())
    right = int((pixels[:, -strip:] > threshold).sum())
    if max(left, right) <= CLEAR_MAJORITY * min(left, right):
        return None
    return "left" if left > right else "right"


def turn(
    laterality: str | None, view: str | None, patient_orientation: Sequence[str], seen_chest_wall: Side | None
) -> Turn:
    """How to show one image so that its chest wall is at the middle of the pair and its top is up.

    `patient_orientation`: the two values, empty where absent. `seen_chest_wall`: of `chest_wall_side`.
    """
    wanted: Side = "left" if laterality == "L" else "right"
    declared = _declared_chest_wall(patient_orientation)
    if laterality is None:
        return Turn(False, False, declared or seen_chest_wall or "left", "unknown")
    actual = seen_chest_wall or declared
    if actual is None:
        return Turn(False, False, wanted, "unknown")
    flip = declared is not None and _upside_down(laterality, view, patient_orientation)
    basis: Basis = "pixels" if seen_chest_wall else "PatientOrientation"
    return Turn(actual != wanted, flip, wanted, basis, conflict=declared is not None and declared != actual)


def _declared_chest_wall(patient_orientation: Sequence[str]) -> Side | None:
    """Rows run towards P(osterior): the chest wall is at the right edge; towards A(nterior): at the left."""
    towards = patient_orientation[0] if len(patient_orientation) == 2 else ""
    if towards.startswith("P"):
        return "right"
    return "left" if towards.startswith("A") else None


def _upside_down(laterality: str, view: str | None, patient_orientation: Sequence[str]) -> bool:
    """Columns should run to F(oot) in oblique and lateral views; in CC to the medial side, lateral being up."""
    down = patient_orientation[1]
    if view == "CC":
        return down.startswith(laterality)
    return down.startswith("H")


T = TypeVar("T")


@dataclass(frozen=True)
class Row(Generic[T]):
    """One row of the light box. Only the first row of a view can lack an image that a reader expects."""

    view: str
    right: T | None
    left: T | None
    first: bool

    @property
    def filled(self) -> bool:
        """Whether any image hangs in it."""
        return self.right is not None or self.left is not None


def hang(images: Iterable[tuple[T, str | None, str | None]]) -> tuple[list[Row[T]], list[T]]:
    """Rows of right and left, CC first, then MLO, then other views; and the images without a place.

    `images`: (image, laterality, view). Images of one place follow in further rows, in the order given. CC and MLO
    have a row even without any image: what is missing must be seen.
    """
    columns: dict[tuple[str, str], list[T]] = {}
    homeless = []
    for image, laterality, view in images:
        if laterality is None or view is None:
            homeless.append(image)
        else:
            columns.setdefault((view, laterality), []).append(image)
    views = [*STANDARD_VIEWS, *sorted({view for view, _ in columns} - set(STANDARD_VIEWS))]
    rows: list[Row[T]] = []
    for view in views:
        right, left = columns.get((view, "R"), []), columns.get((view, "L"), [])
        for number in range(max(len(right), len(left), 1)):
            rows.append(Row(view, _nth(right, number), _nth(left, number), number == 0))
    return rows, homeless


def _nth(images: Sequence[T], number: int) -> T | None:
    return images[number] if number < len(images) else None
