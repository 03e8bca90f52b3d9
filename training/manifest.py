"""The manifest CSV: one row a lesion, or a row without one for a healthy image.

Columns: file, patient_id, view, laterality, lesion_type, pathology, and x, y, radius or x0, y0, x1, y1;
optional width_over_height (true ratio of a stretched image), pixel_um, density.
"""

from dataclasses import replace
from pathlib import Path

from numpy import float64
from numpy.typing import NDArray

from training.annotations import (
    AnnotatedImage,
    Annotations,
    Lesion,
    LesionType,
    Pathology,
    box_outline,
    circle_outline,
)
from training.collector import ImageCollector
from training.errors import AnnotationsError
from training.outlines import check_inside
from training.stated import file_size, stated_pixel, stated_ratio
from training.tables import Row, read_table

REQUIRED = ("file", "lesion_type", "pathology", "patient_id")

LESION_TYPES: dict[str, LesionType] = {
    "mass": "mass",
    "nodule": "mass",
    "calcification": "calcification",
    "microcalcification": "calcification",
    "asymmetry": "asymmetry",
    "architectural_distortion": "architectural_distortion",
    "other": "other",
}
PATHOLOGIES: dict[str, Pathology] = {
    "MALIGNANT": "malignant",
    "BENIGN": "benign",
    "BENIGN_WITHOUT_CALLBACK": "benign",
    "AMBIGUOUS": "unknown",
    "UNKNOWN": "unknown",
    "": "unknown",
}
PLACES = ((("x", "y", "radius"), circle_outline), (("x0", "y0", "x1", "y1"), box_outline))
"""Columns that locate a lesion, and what they make."""
STRETCHED_RATIO = 0.60
"""Mean width over height of digitised films, for images that were stretched to squares."""

Sizes = dict[Path, tuple[int, int]]


def read_manifest(path: Path, width_over_height: float | None = None) -> Annotations:
    """Read a manifest; files are relative to its folder. Raises AnnotationsError: it lacks a needed column."""
    found, images = Annotations(), ImageCollector()
    sizes: Sizes = {}
    columns, rows = read_table(path)
    missing = set(REQUIRED) - set(columns)
    if missing:
        raise AnnotationsError(f"{path} lacks the column(s) {', '.join(sorted(missing))}.")
    for line, row in rows:
        where = f"{path.name} line {line}"
        named: Path | None = None
        try:
            named = (path.parent / (row["file"] or "")).resolve()
            images.add(where, *_row(path.parent, named, row, sizes))
        except (ValueError, OSError) as error:
            found.reject(where, str(error))
            if named is not None:
                images.doubt(named)
    found.images = images.images(found)
    if width_over_height is None:
        _unstretch_squares(path, found, sizes)
    else:
        found.images = [_unstretched(image, width_over_height) for image in found.images]
    return found


def _row(folder: Path, path: Path, row: Row, sizes: Sizes) -> tuple[AnnotatedImage, Lesion | None]:
    """One row. Raises ValueError or OSError with the reason."""
    file, kind, pathology, patient = (_needed(row, name) for name in REQUIRED)
    if not path.is_file():
        raise ValueError(f"there is no file {file}")
    if not patient:
        raise ValueError("patient_id is empty: without it a patient can end on both sides of a split")
    if path not in sizes:
        sizes[path] = file_size(path)
    image = AnnotatedImage(
        path=path,
        patient_id=patient,
        dataset=folder.name,
        view=(row.get("view") or "").upper(),
        laterality=(row.get("laterality") or "")[:1].upper(),
        density=row.get("density") or "",
        width_over_height=stated_ratio(_number(row, "width_over_height")),
        pixel_um=stated_pixel(_number(row, "pixel_um")),
    )
    if kind.lower() in ("none", "normal", ""):
        return image, None
    if kind.lower() not in LESION_TYPES:
        raise ValueError(f"lesion_type {kind} is none of {', '.join(LESION_TYPES)}, none")
    if pathology.upper() not in PATHOLOGIES:
        raise ValueError(f"pathology {pathology} is none of {', '.join(filter(None, PATHOLOGIES))}")
    outline = _outline(row)
    if outline is not None:
        check_inside(outline, sizes[path])
    return image, Lesion(LESION_TYPES[kind.lower()], PATHOLOGIES[pathology.upper()], outline)


def _needed(row: Row, name: str) -> str:
    """A needed column. Raises ValueError: the row ends before it, and may have lost a lesion."""
    value = row[name]
    if value is None:
        raise ValueError(f"the row ends before {name}")
    return value


def _outline(row: Row) -> NDArray[float64] | None:
    """The lesion's place; None where the row gives none. Raises ValueError: it gives a part of one."""
    for names, make in PLACES:
        lacking = [name for name in names if not row.get(name)]
        if not lacking:
            return make(*(_number(row, name) or 0.0 for name in names))
        if len(lacking) < len(names):
            given = ", ".join(name for name in names if name not in lacking)
            raise ValueError(f"{given} given without {', '.join(lacking)}: the lesion's place is incomplete")
    return None


def _number(row: Row, name: str) -> float | None:
    """A column's number; None where it is empty. Raises ValueError: it is none."""
    text = row.get(name)
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} {text} is no number") from None


def _unstretched(image: AnnotatedImage, width_over_height: float) -> AnnotatedImage:
    """With the ratio given for all, unless it has its own."""
    # a stated pixel is square: that image was not stretched, whatever is said of the others
    if image.width_over_height or image.pixel_um:
        return image
    return replace(image, width_over_height=width_over_height)


def _unstretch_squares(path: Path, found: Annotations, sizes: Sizes) -> None:
    """Without any stated geometry, images that are all one square size were stretched: no film is a square."""
    if any(image.pixel_um or image.width_over_height for image in found.images):
        return
    if len(found.images) < 2 or any(image.path.suffix.lower() in (".dcm", "") for image in found.images):
        return
    both = {sizes[image.path] for image in found.images}
    width, height = next(iter(both))
    if len(both) > 1 or width != height:
        return
    found.images = [replace(image, width_over_height=STRETCHED_RATIO) for image in found.images]
    found.notes.append(
        f"{path.parent.name}: all images are {width} x {height} and nothing says their true shape, so they are "
        f"taken as stretched, width over height {STRETCHED_RATIO} (say otherwise with --width-over-height)."
    )
