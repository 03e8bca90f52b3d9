"""INbreast: DICOM images in AllDICOMs, OsiriX property lists in AllXML, INbreast.csv with the BI-RADS category.

It publishes no pathology; the category stands in for it (4 to 6: malignant), as in the studies that used it.
"""

import csv
import plistlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.annotations import AnnotatedImage, Annotations, Lesion
from training.errors import AnnotationsError
from training.words import lesion_type_of, pathology_of_category

POINT_RADIUS = 10.0
"""Pixels around a calcification that INbreast marks by a single point (70 um each)."""


def read_inbreast(folder: Path) -> Annotations:
    """Read the published folder. Raises AnnotationsError: INbreast.csv or AllDICOMs is missing."""
    table = folder / "INbreast.csv"
    if not table.is_file() or not (folder / "AllDICOMs").is_dir():
        raise AnnotationsError(f"{folder} needs INbreast.csv and AllDICOMs beside AllXML, as INbreast is published.")
    found = Annotations()
    with table.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file, delimiter=";"):
            name = (row.get("File Name") or "").strip()
            if not name:
                continue
            try:
                found.images.append(_image(folder, name, row))
            except (ValueError, KeyError, TypeError, OSError, plistlib.InvalidFileException) as error:
                found.reject(f"INbreast.csv {name}", str(error))
    return found


def _image(folder: Path, name: str, row: dict[str, str]) -> AnnotatedImage:
    path = next(iter(sorted((folder / "AllDICOMs").glob(f"{name}_*.dcm"))), None)
    if path is None:
        raise ValueError("AllDICOMs has no such image")
    # AllDICOMs/<name>_<patient hash>_MG_<side>_<view>_ANON.dcm
    patient = path.stem.split("_")[1]
    marks = folder / "AllXML" / f"{name}.xml"
    category = (row.get("Bi-Rads") or row.get("Bi-RADS") or "").strip()
    return AnnotatedImage(
        path=path.resolve(),
        patient_id=patient,
        dataset=folder.name,
        view={"CC": "CC", "MLO": "MLO"}.get((row.get("View") or "").strip(), ""),
        laterality=(row.get("Laterality") or "")[:1].upper(),
        density=(row.get("ACR") or "").strip(),
        lesions=_lesions(marks, category) if marks.is_file() else (),
    )


def _lesions(path: Path, category: str) -> tuple[Lesion, ...]:
    content: dict[str, Any] = plistlib.loads(path.read_bytes())
    regions = [region for image in content["Images"] for region in image["ROIs"]]
    pathology = pathology_of_category(category)
    return tuple(
        Lesion(lesion_type_of(str(region.get("Name", ""))), pathology, _outline(region["Point_px"]))
        for region in regions
    )


def _outline(points: list[str]) -> NDArray[np.float64]:
    """['(x, y)', ...] to (n, 2); a point or a pair gets a small square around it."""
    outline = np.array([[float(part) for part in point.strip("() ").split(",")] for point in points])
    if not np.isfinite(outline).all():
        raise ValueError("an outline is not finite")
    if len(outline) >= 3:
        return outline
    (x0, y0), (x1, y1) = outline.min(axis=0) - POINT_RADIUS, outline.max(axis=0) + POINT_RADIUS
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
