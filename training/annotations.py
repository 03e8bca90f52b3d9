"""Annotated mammograms, whatever format they came in: images, their lesions, and the rows nobody can use."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inference.results import Module
from training.errors import AnnotationsError

LesionType = Literal["mass", "calcification", "asymmetry", "architectural_distortion", "other"]
Pathology = Literal["malignant", "benign", "unknown"]

NODULE_TYPES = frozenset({"mass", "asymmetry", "architectural_distortion"})
"""What the paper's nodule module looks for; calcifications are the other module's."""


@dataclass(frozen=True)
class Lesion:
    """One lesion. `outline`: (n, 2) polygon (x, y) in pixels of the file, or None where nobody located it."""

    lesion_type: LesionType
    pathology: Pathology
    outline: NDArray[np.float64] | None

    @property
    def module(self) -> Module | None:
        """The module that should find it; None where neither is meant to."""
        if self.lesion_type == "calcification":
            return Module.MICROCALCIFICATION
        return Module.NODULE if self.lesion_type in NODULE_TYPES else None


@dataclass(frozen=True)
class AnnotatedImage:
    """One image and everything that is known of it. No lesions means: said to be healthy.

    `width_over_height` is the true ratio of a stretched image; coordinates are those of the file as it is stored.
    """

    path: Path
    patient_id: str
    dataset: str
    view: str = ""
    laterality: str = ""
    density: str = ""
    lesions: tuple[Lesion, ...] = ()
    width_over_height: float | None = None
    pixel_um: float | None = None

    @property
    def healthy(self) -> bool:
        """Nothing was found on it, of any kind."""
        return not self.lesions

    def has(self, module: Module, pathology: Pathology) -> bool:
        """Whether a lesion of this kind is on it, located or not."""
        return any(lesion.module is module and lesion.pathology == pathology for lesion in self.lesions)

    def located(self, module: Module, pathology: Pathology) -> tuple[Lesion, ...]:
        """The lesions of this kind whose place is known."""
        found = (lesion for lesion in self.lesions if lesion.module is module and lesion.pathology == pathology)
        return tuple(lesion for lesion in found if lesion.outline is not None)


def lesions_digest(images: Iterable[AnnotatedImage]) -> str:
    """Changes with any lesion's kind, pathology or place: what was learned from others must not be gone on with."""
    digest = hashlib.sha256()
    for number, image in enumerate(images):  # names may be the same in several folders
        for lesion in image.lesions:
            place = lesion.outline.tobytes() if lesion.outline is not None else b"nowhere"
            digest.update(f"{number} {lesion.lesion_type} {lesion.pathology} ".encode() + place)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Unusable:
    """A row that cannot be used, with the reason; it never names a patient."""

    where: str
    reason: str


@dataclass
class Annotations:
    """What a source holds. `unusable` rows were left out, each with its reason; `notes` say what was assumed."""

    images: list[AnnotatedImage] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def reject(self, where: str, reason: str) -> None:
        """Leave a row out, and remember why."""
        self.unusable.append(Unusable(where, reason))

    @property
    def complaint(self) -> str:
        """One text that lists every unusable row; empty where there is none."""
        if not self.unusable:
            return ""
        lines = [f"{len(self.unusable)} row(s) of the annotations cannot be used and were left out:"]
        return "\n".join([*lines, *(f"  {row.where}: {row.reason}" for row in self.unusable)])

    @property
    def patients(self) -> list[str]:
        """Patient ids in order of appearance, each once."""
        return list(dict.fromkeys(image.patient_id for image in self.images))


def box_outline(x0: float, y0: float, x1: float, y1: float) -> NDArray[np.float64]:
    """(4, 2) corners of a box. Raises ValueError: it is empty, or not finite."""
    outline = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float)
    if not np.isfinite(outline).all() or x1 <= x0 or y1 <= y0:
        raise ValueError(f"the box {x0:g}, {y0:g}, {x1:g}, {y1:g} is empty or not finite")
    return outline


def circle_outline(x: float, y: float, radius: float) -> NDArray[np.float64]:
    """(32, 2) points of a circle. Raises ValueError: it is empty, or not finite."""
    if not np.isfinite([x, y, radius]).all() or radius <= 0:
        raise ValueError(f"the circle {x:g}, {y:g} with radius {radius:g} is empty or not finite")
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


def read_annotations(sources: Iterable[Path], *, width_over_height: float | None = None) -> Annotations:
    """Read every source, each in whatever format it is.

    `width_over_height` un-stretches manifest images that do not say it themselves. Raises AnnotationsError: a
    source is missing, of no known format, or nothing in any of them is usable (every reason is listed).
    """
    from training import formats  # noqa: PLC0415 - the formats build on this module

    found = Annotations()
    for source in sources:
        part = formats.read_source(source, width_over_height)
        found.images += part.images
        found.unusable += part.unusable
        found.notes += part.notes
    if not found.images:
        raise AnnotationsError(f"No image of the given data can be used.\n{found.complaint}")
    return found
