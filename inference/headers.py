"""The headers of a study's files, and what each says of its image before any pixel is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from inference.errors import InferenceError
from inference.instance import read_instance
from inference.pixels import pixel_spacing
from inference.preparation import unexpected
from inference.results import ImageResult, Reason, Status


@dataclass(frozen=True, eq=False)
class Header:
    """A file's header; `reason` says why it is not used, `dataset` is None where it could not even be read."""

    path: Path
    dataset: Dataset | None
    reason: Reason | None = None

    @property
    def uid(self) -> str:
        """SOP Instance UID, empty where there is none."""
        return str(self.dataset.SOPInstanceUID) if self.dataset is not None else ""


def read_headers(paths: Sequence[Path], memory: int) -> tuple[Header, ...]:
    """All of them, in order; a second file with the SOP Instance UID of an earlier one is refused."""
    seen: set[str] = set()
    headers = []
    for path in paths:
        header = _read(path, memory)
        if header.dataset is not None:
            if header.uid in seen:
                header = Header(path, header.dataset, _DUPLICATE)
            seen.add(header.uid)
        headers.append(header)
    return tuple(headers)


def blank_result(header: Header, **known: Any) -> ImageResult:
    """The image's result as far as its header tells; `known` is the rest."""
    ds = header.dataset if header.dataset is not None else Dataset()
    return ImageResult(
        sop_instance_uid=header.uid,
        sop_class_uid=str(ds.get("SOPClassUID", "")),
        series_instance_uid=str(ds.get("SeriesInstanceUID", "")),
        file=str(header.path),
        rows=_count(ds, "Rows"),
        columns=_count(ds, "Columns"),
        pixel_spacing=pixel_spacing(ds),
        **known,
    )


def unreadable_result(header: Header) -> ImageResult:
    """A file whose header cannot be used: failed; a repeated instance is excluded."""
    status = Status.EXCLUDED if header.reason is _DUPLICATE else Status.FAILED
    return blank_result(header, status=status, reason=header.reason)


def _read(path: Path, memory: int) -> Header:
    try:
        ds = read_instance(path, memory=memory, pixels=False)
        missing = [keyword for keyword in ("SOPInstanceUID", "StudyInstanceUID") if not ds.get(keyword)]
    except InferenceError as error:
        return Header(path, None, error.reason)
    except Exception as error:  # noqa: BLE001 - pydicom raises anything on a damaged file, and the others go on
        return Header(path, None, unexpected(error))
    if missing:
        text = f"The instance has no {' and no '.join(missing)}."
        return Header(
            path, None, Reason(code="no-identity", text=text, remedy="Export the image from its PACS again.")
        )
    return Header(path, ds)


def _count(ds: Dataset, keyword: str) -> int:
    value = ds.get(keyword)
    return value if isinstance(value, int) else 0


_DUPLICATE = Reason(
    code="duplicate-instance",
    text="Another file of this study has the same SOP Instance UID.",
    remedy="Give each instance once.",
)
