"""CBIS-DDSM as TCIA publishes it: four CSV files, DICOM full images, crops and masks."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from training.annotations import AnnotatedImage, Annotations, Lesion
from training.collector import ImageCollector
from training.manifest import PATHOLOGIES
from training.outlines import mask_outline
from training.stated import UNREADABLE
from training.tables import read_table

CASE_FILES = tuple(
    f"{kind}_case_description_{part}_set.csv" for kind in ("mass", "calc") for part in ("train", "test")
)
IMAGE, CROP, MASK = "image file path", "cropped image file path", "ROI mask file path"
NEEDED = ("patient id", "left or right breast", "image view", "abnormality type", "pathology", IMAGE, CROP, MASK)


def read_tcia(folder: Path) -> Annotations:
    """Read the CSV files that are there; a row whose image or mask is missing is unusable.

    The CSVs name files by paths of the download tool; what is found below `folder` under the same series name
    (with any prefix) is taken. Crop and mask share a folder, and are swapped in a part of the rows: the mask is
    the one of the full image's size.
    """
    found, images = Annotations(), ImageCollector()
    lost: set[tuple[str, str, str]] = set()
    for name in CASE_FILES:
        if not (folder / name).is_file():
            continue
        for line, row in read_table(folder / name)[1]:
            where = f"{name} line {line}"
            clean = {key.strip().replace("_", " "): value or "" for key, value in row.items()}
            try:
                images.add(where, *_row(folder, clean))
            except (*UNREADABLE, InvalidDicomError) as error:
                found.reject(where, str(error))
                named = list(_files(folder, clean.get(IMAGE, "")))
                for full in named:
                    images.doubt(full.resolve())
                if not named:
                    lost.add(_breast_and_view(clean))
    images.doubt_where(lambda image: (image.patient_id, image.laterality, image.view) in lost)
    found.images = images.images(found)
    return found


def _row(folder: Path, row: Mapping[str, str]) -> tuple[AnnotatedImage, Lesion]:
    lacking = [name for name in NEEDED if not row.get(name)]
    if lacking:
        raise ValueError(f"{', '.join(lacking)} is empty")
    if row["pathology"].upper() not in PATHOLOGIES:
        raise ValueError(f"pathology {row['pathology']} is none of {', '.join(filter(None, PATHOLOGIES))}")
    full = next(_files(folder, row[IMAGE]), None)
    if full is None:
        raise ValueError(f"the full image is missing: {_series(row[IMAGE])}")
    patient, side, view = _breast_and_view(row)
    image = AnnotatedImage(
        path=full.resolve(),
        patient_id=patient,
        dataset=folder.name,
        view=view,
        laterality=side,
        density=row.get("breast density", ""),
    )
    masks = [*_files(folder, row[MASK]), *_files(folder, row[CROP])]
    mask = next((path for path in masks if _size(path) == _size(full)), None)
    if mask is None:
        raise ValueError(f"no mask has the size of the full image: {_series(row[MASK])}")
    kind = "calcification" if row["abnormality type"].lower().startswith("calc") else "mass"
    outline = _mask_outline(mask)
    return image, Lesion(kind, PATHOLOGIES[row["pathology"].upper()], outline)  # type: ignore[arg-type] # kind is one of two literals


def _breast_and_view(row: Mapping[str, str]) -> tuple[str, str, str]:
    """Patient, side and view: which image a row is about, wherever it lies."""
    side, view = row.get("left or right breast", ""), row.get("image view", "")
    return row.get("patient id", ""), side[:1].upper(), view.upper()


def _mask_outline(path: Path) -> NDArray[np.float64]:
    mask = pydicom.dcmread(path)
    if "PixelData" not in mask:
        raise ValueError(f"the mask has no pixels: {path.name}")
    return mask_outline((mask.pixel_array > 0).astype(np.uint8))


def _parts(path: str) -> list[str]:
    """Folders and file of a CSV path, some of which are quoted and end in a line break."""
    return [part for part in Path(path.replace('"', "").replace("\n", "").strip()).parts if part != "/"]


def _series(path: str) -> str:
    return next(iter(_parts(path)), "no path")


def _files(folder: Path, path: str) -> Iterator[Path]:
    """DICOM files of the series that a CSV path names: its own place first, else anywhere below that name."""
    parts = _parts(path)
    if not parts:
        return
    exact = folder.joinpath(*parts)
    if exact.is_file():
        yield exact
    for series in sorted({*folder.glob(parts[0]), *folder.glob(f"*/{parts[0]}")}):
        narrowed = series.joinpath(*parts[1:-1])
        for file in sorted((narrowed if narrowed.is_dir() else series).rglob("*.dcm")):
            if file != exact:
                yield file


def _size(path: Path) -> tuple[int, int]:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    if "Rows" not in header or "Columns" not in header:
        raise ValueError(f"it is no image: {path.name}")
    return int(header.Rows), int(header.Columns)
