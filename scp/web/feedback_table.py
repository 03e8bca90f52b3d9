"""Readers' opinions as training annotations: the manifest CSV that `mammonode-train` reads.

Paths are absolute, as the table may be put anywhere on this machine. Patients are pseudonyms of this node.
`pathology` is the reader's impression, not a biopsy's.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from inference.results import ImageResult
from scp.web.opinions import Opinion

COLUMNS = (
    "file",
    "patient_id",
    "view",
    "laterality",
    "lesion_type",
    "pathology",
    "x0",
    "y0",
    "x1",
    "y1",
)
Row = tuple[str | float, ...]


def image_rows(image: ImageResult, file: Path, patient: str, opinions: Sequence[Opinion]) -> Iterable[Row]:
    """A row for each lesion that was kept or added; one without a lesion where every mark was rejected.

    `opinions`: the current ones on this image. Two readers who kept the same mark make one row, the latest's.
    """
    head: Row = (str(file.absolute()), patient, image.view or "", image.laterality or "")
    kept = {one.subject: one for one in opinions if one.verdict in ("accepted", "added")}
    for opinion in kept.values():
        yield (*head, opinion.module.value, opinion.pathology.upper(), *opinion.box)
    if not kept:
        yield (*head, "none", "", "", "", "", "")


def table(rows: Iterable[Row]) -> str:
    """The CSV text (RFC 4180)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return buffer.getvalue()
