"""INbreast: DICOM images in AllDICOMs, OsiriX property lists in AllXML, INbreast.csv with the BI-RADS category.

It publishes no pathology; the category stands in for it (4 to 6: malignant), as in the studies that used it. Only an
image of category 1 is healthy: with a higher one and nothing marked, it may hold what nobody outlined.
"""

import plistlib
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np
from numpy.typing import NDArray

from training.annotations import AnnotatedImage, Annotations, Lesion, Pathology, box_outline
from training.errors import AnnotationsError
from training.outlines import check_inside, polygon_outline
from training.stated import UNREADABLE, file_size
from training.tables import Row, read_table
from training.words import lesion_type_of, pathology_of_category

POINT_RADIUS = 10.0
"""Pixels around a calcification that INbreast marks by a single point (70 um each)."""
NORMAL = "1"
"""BI-RADS: negative."""
NO_LESION = "pectoral"
"""Its outlines of the pectoral muscle are no findings."""


def read_inbreast(folder: Path) -> Annotations:
    """Read the published folder. Raises AnnotationsError: INbreast.csv or AllDICOMs is missing."""
    table = folder / "INbreast.csv"
    if not table.is_file() or not (folder / "AllDICOMs").is_dir():
        raise AnnotationsError(f"{folder} needs INbreast.csv and AllDICOMs beside AllXML, as INbreast is published.")
    found = Annotations()
    for _, row in read_table(table, delimiter=";")[1]:
        name = row.get("File Name") or ""
        if not name:
            continue
        try:
            found.images.append(_image(folder, name, row))
        except (*UNREADABLE, plistlib.InvalidFileException, ExpatError) as error:
            found.reject(f"INbreast.csv {name}", str(error))
    return found


def _image(folder: Path, name: str, row: Row) -> AnnotatedImage:
    path = next(iter(sorted((folder / "AllDICOMs").glob(f"{name}_*.dcm"))), None)
    if path is None:
        raise ValueError("AllDICOMs has no such image")
    # AllDICOMs/<name>_<patient hash>_MG_<side>_<view>_ANON.dcm
    patient = path.stem.split("_")[1]
    marks = folder / "AllXML" / f"{name}.xml"
    category = row.get("Bi-Rads") or row.get("Bi-RADS") or ""
    regions = _regions(marks) if marks.is_file() else []
    return AnnotatedImage(
        path=path.resolve(),
        patient_id=patient,
        dataset=folder.name,
        view={"CC": "CC", "MLO": "MLO"}.get(row.get("View") or "", ""),
        laterality=(row.get("Laterality") or "")[:1].upper(),
        density=row.get("ACR") or "",
        lesions=_lesions(regions, category, file_size(path)),
    )


def _regions(path: Path) -> list[dict[str, Any]]:
    """The marks of a property list, without those that are no findings."""
    content: dict[str, Any] = plistlib.loads(path.read_bytes())
    if not isinstance(content, dict) or "Images" not in content:
        raise ValueError(f"{path.name} is no property list of OsiriX")
    regions = [region for image in content["Images"] for region in image["ROIs"]]
    return [region for region in regions if NO_LESION not in str(region.get("Name", "")).lower()]


def _lesions(regions: list[dict[str, Any]], category: str, size: tuple[int, int]) -> tuple[Lesion, ...]:
    """The marks as lesions. Raises ValueError: the category says that there is more, or none has a name.

    'Unnamed', 'Point 1' and the like are no findings of the publication: beside a named one they are places of
    which nothing is known, and alone they leave the image in doubt.
    """
    lesions = tuple(_lesion(region, pathology_of_category(category), size) for region in regions)
    if not lesions and not category.startswith(NORMAL):
        raise ValueError(
            f"nothing is marked, and its BI-RADS category is {category or 'empty'}: it may hold a lesion"
        )
    if lesions and all(lesion.lesion_type == "other" for lesion in lesions):
        names = sorted({str(region.get("Name", "")) or "no name" for region in regions})
        raise ValueError(f"its marks have no name of a finding ({', '.join(names)}): what they are is unknown")
    return lesions


def _lesion(region: dict[str, Any], pathology: Pathology, size: tuple[int, int]) -> Lesion:
    kind = lesion_type_of(str(region.get("Name", "")))
    outline = _outline(region.get("Point_px") or [], small=kind in ("calcification", "other"))
    check_inside(outline, size)
    return Lesion(kind, "unknown" if kind == "other" else pathology, outline)


def _outline(points: list[str], *, small: bool) -> NDArray[np.float64]:
    """['(x, y)', ...] to (n, 2). A point or a pair of something small gets a square around it."""
    outline = np.array([[float(part) for part in point.strip("() ").split(",")] for point in points])
    if small and 0 < len(np.unique(outline, axis=0)) < 3:
        low, high = outline.min(axis=0) - POINT_RADIUS, outline.max(axis=0) + POINT_RADIUS
        return box_outline(*low, *high)
    return polygon_outline(outline)
