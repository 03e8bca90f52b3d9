"""Rows of a source, gathered into one AnnotatedImage a file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from training.annotations import AnnotatedImage, Annotations, Lesion

UNKNOWN = (Lesion("mass", "unknown", None), Lesion("calcification", "unknown", None))
"""What may be on an image in doubt, anywhere."""


@dataclass(frozen=True)
class _Row:
    where: str
    image: AnnotatedImage
    lesion: Lesion | None


class ImageCollector:
    """Gathers lesions row by row and gives one AnnotatedImage a file."""

    def __init__(self) -> None:
        self._rows: dict[Path, list[_Row]] = {}
        self._in_doubt: set[Path] = set()

    def add(self, where: str, image: AnnotatedImage, lesion: Lesion | None = None) -> None:
        """Add a row: an image, and one of its lesions where it has any."""
        self._rows.setdefault(image.path, []).append(_Row(where, image, lesion))

    def doubt(self, path: Path) -> None:
        """A row of this image cannot be used: what it said must not make the image healthy, or a cancer a control."""
        self._in_doubt.add(path)

    def doubt_where(self, is_meant: Callable[[AnnotatedImage], bool]) -> None:
        """A row that names no file cannot be used: every image that it may have meant is in doubt."""
        self._in_doubt |= {path for path, rows in self._rows.items() if any(is_meant(row.image) for row in rows)}

    def images(self, found: Annotations) -> list[AnnotatedImage]:
        """The images in the order in which they first appeared; those in doubt with unknown lesions somewhere.

        One that is said to be of two patients is left out, and all its rows are rejected in `found`.
        """
        images = []
        for path, rows in self._rows.items():
            patients = {row.image.patient_id for row in rows}
            if len(patients) > 1:
                for row in rows:
                    found.reject(row.where, f"{path.name} is said to be of {len(patients)} patients")
                continue
            lesions = tuple(row.lesion for row in rows if row.lesion is not None)
            doubtful = UNKNOWN if path in self._in_doubt else ()
            images.append(replace(rows[0].image, lesions=(*lesions, *doubtful)))
        return images
