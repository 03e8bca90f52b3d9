"""What an image is called where people read of it: 'R CC', 'L, view XYZ', 'CT Image'."""

from collections.abc import Mapping
from pathlib import Path

from pydicom.uid import UID

from inference.results import ImageResult, StudyResult
from scp.studies import readable_header

NO_MAMMOGRAM = "not-a-mammogram"
"""The code of the reason for which an image of another kind is excluded."""


def image_names(result: StudyResult, files: Mapping[str, Path]) -> dict[str, str]:
    """Names by SOP Instance UID; a second image of one view is 'R CC (2)'.

    `files`: where to read the View Position of an image whose view is not known; one that is gone has none.
    """
    names: dict[str, str] = {}
    seen: dict[str, int] = {}
    for image in result.images:
        name = image_name(image, files.get(image.sop_instance_uid))
        seen[name] = seen.get(name, 0) + 1
        names[image.sop_instance_uid] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return names


def image_name(image: ImageResult, file: Path | None = None) -> str:
    """Breast and view; of the view what the header has, though it be no known view; of no mammogram its kind."""
    if image.reason is not None and image.reason.code == NO_MAMMOGRAM:
        name = UID(image.sop_class_uid).name
        return name.removesuffix(" Storage") if name != image.sop_class_uid else "unknown kind of image"
    if image.laterality and image.view:
        return f"{image.laterality} {image.view}"
    view = image.view or f"view {_view_position(file) or 'unknown'}"
    return f"{image.laterality or 'side unknown'}, {view}"


def _view_position(file: Path | None) -> str:
    """The value as it stands in the header, cut to what its VR allows (CS)."""
    header = readable_header(file) if file is not None else None
    return str(header.get("ViewPosition") or "").strip()[:16] if header is not None else ""
