"""Which format a folder or file of annotations has."""

import json
from collections.abc import Callable
from pathlib import Path

from training.annotations import Annotations
from training.coco import read_coco
from training.dicom_annotations import read_dicom
from training.errors import AnnotationsError
from training.inbreast import read_inbreast
from training.manifest import read_manifest
from training.tcia import CASE_FILES, read_tcia

KNOWN = (
    "a folder with manifest.csv (or such a file), COCO JSON, CBIS-DDSM as TCIA publishes it "
    "(*_case_description_*_set.csv), INbreast (AllDICOMs and AllXML), or DICOM images with their SEG or SR objects"
)


def read_source(source: Path, width_over_height: float | None) -> Annotations:
    """Read one source. Raises AnnotationsError: it is missing, or of no known format."""
    if not source.exists():
        raise AnnotationsError(f"There is no {source}. Name {KNOWN}.")
    if source.suffix.lower() == ".csv" and source.name not in CASE_FILES:
        return read_manifest(source, width_over_height)
    if source.suffix.lower() == ".json":
        return read_coco(source)
    if source.is_dir():
        reader = _folder_reader(source, width_over_height)
        if reader is not None:
            return reader()
    raise AnnotationsError(f"{source} has no known format. Name {KNOWN}.")


def _folder_reader(folder: Path, width_over_height: float | None) -> Callable[[], Annotations] | None:
    if (folder / "manifest.csv").is_file():
        return lambda: read_manifest(folder / "manifest.csv", width_over_height)
    if any((folder / name).is_file() for name in CASE_FILES):
        return lambda: read_tcia(folder)
    if (folder / "AllXML").is_dir():
        return lambda: read_inbreast(folder)
    files = sorted(folder.rglob("*.json"))
    coco = [path for path in files if _is_coco(path)]
    if coco:
        return lambda: _with_note(read_coco(*coco), [path.name for path in files if path not in coco])
    if any(_is_dicom(path) for path in folder.rglob("*") if path.is_file()):
        return lambda: read_dicom(folder)
    return None


def _with_note(found: Annotations, ignored: list[str]) -> Annotations:
    if ignored:
        found.notes.append(f"{', '.join(ignored)} has no images and annotations as COCO has them, and was not read.")
    return found


def _is_coco(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"images", "annotations"} <= content.keys()


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
