"""The order in which a reader hangs mammograms: the right breast at the reader's left, CC above MLO."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from inference.results import ImageResult, Status
from inference.view import STANDARD_VIEWS
from scp.objects.words import image_caption, view_name


@dataclass(frozen=True)
class Place:
    """Where a view hangs, and the image that hangs there, if it came."""

    laterality: Literal["L", "R"] | None
    view: str | None
    image: ImageResult | None

    @property
    def picture_of(self) -> ImageResult | None:
        """The image, if it has a picture."""
        return self.image if self.image is not None and self.image.status is Status.ANALYSED else None

    @property
    def caption(self) -> str:
        """Which view it is, and what was done with it."""
        if self.image is not None:
            return image_caption(self.image)
        return f"{view_name(self.laterality, self.view)}: not received"

    @property
    def failed(self) -> bool:
        """Whether the image came and should have been analysed."""
        return self.image is not None and self.image.status is Status.FAILED


Row = tuple[Place | None, Place | None]


def hanging(images: Sequence[ImageResult]) -> list[Row]:
    """Pairs of places: the four standard views, whether they came or not, then what else was analysed."""
    analysed = [image for image in images if image.status is Status.ANALYSED]
    others = sorted({image.view or "" for image in analysed} - set(STANDARD_VIEWS), key=lambda view: (not view, view))
    rows: list[Row] = []
    for view in (*STANDARD_VIEWS, *others):
        right, left = (_places(images, side, view) for side in ("R", "L"))
        rows.extend(zip_longest(right, left))
        rows.extend((place, None) for place in _places(images, None, view))
    return rows


def _places(images: Sequence[ImageResult], side: Literal["L", "R"] | None, view: str) -> list[Place]:
    """What was analysed of a view; of a standard view without that, why there is none."""
    of_view = [image for image in images if (image.laterality, image.view or "") == (side, view)]
    shown = [image for image in of_view if image.status is Status.ANALYSED]
    if shown or view not in STANDARD_VIEWS or side is None:
        return [Place(side, view or None, image) for image in shown]
    failed = [image for image in of_view if image.status is Status.FAILED]
    return [Place(side, view, next(iter([*failed, *of_view]), None))]
