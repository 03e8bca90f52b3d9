"""The manifest CSV: one row a lesion, or a row without one for a healthy image.

Columns: file, patient_id, view, laterality, lesion_type, pathology, and x, y, radius or x0, y0, x1, y1;
optional width_over_height (true ratio of a stretched image), pixel_um, density.
"""

import csv
from pathlib import Path

from PIL import Image

from training.annotations import (
    AnnotatedImage,
    Annotations,
    ImageCollector,
    Lesion,
    LesionType,
    Pathology,
    box_outline,
    circle_outline,
)
from training.errors import AnnotationsError

REQUIRED = frozenset({"file", "patient_id", "lesion_type", "pathology"})

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
STRETCHED_RATIO = 0.60
"""Mean width over height of digitised films, for images that were stretched to squares."""


def read_manifest(path: Path, width_over_height: float | None = None) -> Annotations:
    """Read a manifest; files are relative to its folder. Raises AnnotationsError: it lacks a needed column."""
    found, images = Annotations(), ImageCollector()
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        missing = REQUIRED - set(table.fieldnames or ())
        if missing:
            raise AnnotationsError(f"{path} lacks the column(s) {', '.join(sorted(missing))}.")
        for row in table:
            where = f"{path.name} line {table.line_num}"
            try:
                images.add(*_row(path.parent, row, width_over_height))
            except (ValueError, KeyError) as error:
                found.reject(where, str(error).strip("'"))
                images.doubt((path.parent / (row.get("file") or "")).resolve())
    found.images = images.images()
    if width_over_height is None:
        _unstretch_squares(path, found)
    return found


def _row(folder: Path, row: dict[str, str], width_over_height: float | None) -> tuple[AnnotatedImage, Lesion | None]:
    """One row. Raises ValueError or KeyError with the reason."""
    path = (folder / row["file"]).resolve()
    if not path.is_file():
        raise ValueError(f"there is no file {row['file']}")
    if not row["patient_id"]:
        raise ValueError("patient_id is empty: without it a patient can end on both sides of a split")
    pixel_um = float(row.get("pixel_um") or 0) or None
    # a stated pixel is square: that image was not stretched, whatever is said of the others
    ratio = float(row.get("width_over_height") or 0) or (None if pixel_um else width_over_height)
    image = AnnotatedImage(
        path=path,
        patient_id=row["patient_id"],
        dataset=folder.name,
        view=(row.get("view") or "").upper(),
        laterality=(row.get("laterality") or "")[:1].upper(),
        density=row.get("density") or "",
        width_over_height=ratio,
        pixel_um=pixel_um,
    )
    kind = row["lesion_type"].lower()
    if kind in ("none", "normal", ""):
        return image, None
    if kind not in LESION_TYPES:
        raise KeyError(f"lesion_type {row['lesion_type']} is none of {', '.join(LESION_TYPES)}, none")
    pathology = row["pathology"].upper()
    if pathology not in PATHOLOGIES:
        raise KeyError(f"pathology {row['pathology']} is none of {', '.join(filter(None, PATHOLOGIES))}")
    outline = None
    if row.get("radius"):
        outline = circle_outline(float(row["x"]), float(row["y"]), float(row["radius"]))
    elif row.get("x1"):
        outline = box_outline(*(float(row[key]) for key in ("x0", "y0", "x1", "y1")))
    return image, Lesion(LESION_TYPES[kind], PATHOLOGIES[pathology], outline)


def _unstretch_squares(path: Path, found: Annotations) -> None:
    """Without any stated geometry, images that are all one square size were stretched: no film is a square."""
    if not found.images or any(image.pixel_um or image.width_over_height for image in found.images):
        return
    sizes = set()
    for annotated in found.images:
        if annotated.path.suffix.lower() in (".dcm", ""):
            return
        with Image.open(annotated.path) as picture:
            sizes.add(picture.size)
        if len(sizes) > 1:
            return
    width, height = sizes.pop()
    if width != height or len(found.images) < 2:
        return
    found.images = [
        AnnotatedImage(**{**image.__dict__, "width_over_height": STRETCHED_RATIO}) for image in found.images
    ]
    found.notes.append(
        f"{path.parent.name}: all images are {width} x {height} and nothing says their true shape, so they are "
        f"taken as stretched, width over height {STRETCHED_RATIO} (say otherwise with --width-over-height)."
    )
