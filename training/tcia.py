"""CBIS-DDSM as TCIA publishes it: four CSV files, DICOM full images, crops and masks."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from training.annotations import AnnotatedImage, Annotations, ImageCollector, Lesion
from training.coco import mask_outline
from training.manifest import PATHOLOGIES

CASE_FILES = tuple(
    f"{kind}_case_description_{part}_set.csv" for kind in ("mass", "calc") for part in ("train", "test")
)


def read_tcia(folder: Path) -> Annotations:
    """Read the CSV files that are there; a row whose image or mask is missing is unusable.

    The CSVs name files by paths of the download tool; what is found below `folder` under the same series name
    (with any prefix) is taken. Crop and mask share a folder, and are swapped in a part of the rows: the mask is
    the one of the full image's size.
    """
    found, images = Annotations(), ImageCollector()
    for name in CASE_FILES:
        if not (folder / name).is_file():
            continue
        with (folder / name).open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            for row in table:
                clean = {key.strip().replace("_", " "): (value or "").strip() for key, value in row.items() if key}
                try:
                    images.add(*_row(folder, clean))
                except (ValueError, KeyError, OSError, InvalidDicomError) as error:
                    found.reject(f"{name} line {table.line_num}", str(error).strip("'"))
                    if named := clean.get("image file path"):
                        for full in _files(folder, named):
                            images.doubt(full.resolve())
    found.images = images.images()
    return found


def _row(folder: Path, row: dict[str, str]) -> tuple[AnnotatedImage, Lesion]:
    full = next(_files(folder, row["image file path"]), None)
    if full is None:
        raise ValueError(f"the full image is missing: {_series(row['image file path'])}")
    header = pydicom.dcmread(full, stop_before_pixels=True)
    image = AnnotatedImage(
        path=full.resolve(),
        patient_id=row["patient id"],
        dataset=folder.name,
        view=row["image view"].upper(),
        laterality=row["left or right breast"][:1].upper(),
        density=row.get("breast density", ""),
    )
    masks = [*_files(folder, row["ROI mask file path"]), *_files(folder, row["cropped image file path"])]
    mask = next((path for path in masks if _size(path) == (header.Rows, header.Columns)), None)
    if mask is None:
        raise ValueError(f"no mask has the size of the full image: {_series(row['ROI mask file path'])}")
    outline = mask_outline((pydicom.dcmread(mask).pixel_array > 0).astype("uint8"))
    kind = "calcification" if row["abnormality type"].lower().startswith("calc") else "mass"
    return image, Lesion(kind, PATHOLOGIES[row["pathology"].upper()], outline)  # type: ignore[arg-type] # kind is one of two literals


def _series(path: str) -> str:
    return Path(path.strip().replace('"', "")).parts[0]


def _files(folder: Path, path: str) -> Iterator[Path]:
    """DICOM files of the series that a CSV path names: its own place first, else anywhere below that name."""
    parts = Path(path.replace('"', "").replace("\n", "").strip()).parts
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
    return int(header.Rows), int(header.Columns)
