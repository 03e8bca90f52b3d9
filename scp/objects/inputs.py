"""What the object builders are given, and what they give back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from numpy.typing import NDArray
from pydicom import Dataset

from inference.errors import InferenceError
from inference.results import ImageResult, Module, Reason, Status, StudyResult


class InvalidObjectError(InferenceError):
    """A result object is not what the standard asks for, so it must not be sent."""


@dataclass(frozen=True)
class ObjectOptions:
    """Which objects are written (names of `config.destinations.ObjectKind`), and how."""

    kinds: frozenset[str] = frozenset({"cad-sr", "tid1500", "seg"})
    assessment_category: bool = True
    operating_points: bool = False
    comprehensive_3d: bool = True
    hydratable: bool = False
    labelmap: bool = False
    plane_orientation: bool = False
    manufacturer: str = "mammonode"
    institution: str = ""


@dataclass(frozen=True)
class ResultObject:
    """A finished object: `file_name` is unique within a build and says kind and image."""

    kind: str
    dataset: Dataset
    file_name: str


@dataclass(frozen=True)
class Revision:
    """`written` is fixed when the result is first made, so that a repeat gives the same bytes.

    `predecessor` is, by kind, the (SOP class, SOP instance) UIDs that this revision supersedes.
    """

    number: int
    written: datetime
    predecessor: Mapping[str, tuple[str, str]] = field(default_factory=dict)


Pictures = Callable[[str], NDArray]  # type: ignore[type-arg] # uint8 (rows, columns) by SOP Instance UID
HeatMaps = Callable[[str, Module], NDArray | None]  # type: ignore[type-arg] # 0 to 1, (rows, columns)


@dataclass(frozen=True)
class Inputs:
    """All of one build. `sources` are headers without pixels, by SOP Instance UID.

    `digest` is `identity.content_digest` of the rest: every UID follows from it.
    """

    result: StudyResult
    sources: Mapping[str, Dataset]
    options: ObjectOptions
    revision: Revision
    pictures: Pictures | None = None
    heat_maps: HeatMaps | None = None
    digest: str = ""

    @property
    def attempted(self) -> tuple[ImageResult, ...]:
        """The images a detector was meant to read: analysed ones and failed ones."""
        return tuple(image for image in self.result.images if image.status is not Status.EXCLUDED)

    @property
    def referenced(self) -> tuple[ImageResult, ...]:
        """The images the reports refer to: the attempted ones, or, where there are none, all."""
        return self.attempted or self.result.images

    @property
    def first(self) -> Dataset:
        """The header that patient and study are copied from. Raises InvalidObjectError: there is none."""
        for image in (*self.attempted, *self.result.images):
            if image.sop_instance_uid in self.sources:
                return self.sources[image.sop_instance_uid]
        raise InvalidObjectError(
            Reason(
                code="no-source", text="No header of this study's images was kept.", remedy="Send the study again."
            )
        )

    def source(self, image: ImageResult) -> Dataset:
        """The header of an image. Raises InvalidObjectError: it was not given."""
        try:
            return self.sources[image.sop_instance_uid]
        except KeyError as error:
            reason = Reason(
                code="source-missing",
                text=f"The header of image {image.sop_instance_uid} is missing.",
                remedy="Send the study again.",
            )
            raise InvalidObjectError(reason) from error
