"""What makes two files the same image: decoded pixels and the attributes that a result depends on.

A PACS that compresses, reorders or adds private elements changes neither; a corrected patient changes the identity
of the instance, but not that of its scores.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from scp.instances import SUBJECT
from scp.result_records import FileIdentity

PIXEL_MEMORY = 2 << 30

IMAGE = (
    "SOPClassUID", "Modality", "PresentationIntentType", "ImageType", "BurnedInAnnotation",
    "Laterality", "ImageLaterality", "ViewPosition", "ViewCodeSequence", "BreastImplantPresent", "PartialView",
    "PatientOrientation", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "EstimatedRadiographicMagnificationFactor", "PixelSpacingCalibrationType",
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "NumberOfFrames", "BitsStored",
    "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "RescaleIntercept",
    "RescaleSlope", "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape",
    "PixelIntensityRelationship", "PixelIntensityRelationshipSign",
)  # fmt: skip
"""What scores, coordinates and eligibility depend on; what the result objects say beside it is SUBJECT."""


def identify(path: Path) -> FileIdentity:
    """The identity of a spooled file. What cannot be decoded or read in it counts by its bytes.

    Raises OSError: there is no such file.
    """
    try:
        ds = dcmread(path)
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - pydicom raises all kinds on damaged files; the analysis will say which
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        return FileIdentity(instance=content, scores=content)
    pixels = pixel_digest(ds)
    return FileIdentity(
        instance=_digest([pixels, *_texts(ds, IMAGE), *_texts(ds, SUBJECT)]),
        scores=_digest([pixels, *_texts(ds, IMAGE)]),
    )


def instance_digest(ds: Dataset) -> str:
    """SHA-256 of all a result object depends on; `ds` has file meta information and pixel data."""
    return _digest([pixel_digest(ds), *_texts(ds, IMAGE), *_texts(ds, SUBJECT)])


def pixel_digest(ds: Dataset) -> str:
    """SHA-256 of the stored pixel values, however they are encoded."""
    try:
        return hashlib.sha256(_values(ds).tobytes()).hexdigest()
    except Exception:  # noqa: BLE001 - what pydicom and the decoders raise on damaged input
        # damaged, too large, of several frames or samples, or no image: the bytes themselves
        return hashlib.sha256(b"undecoded" + bytes(ds.get("PixelData") or b"")).hexdigest()


def _values(ds: Dataset) -> NDArray[np.uint16]:
    """The stored values of one grey frame, without the unused bits around them."""
    from inference.decoding import stored_words  # noqa: PLC0415 - the decoders are slow to load, and not always needed

    size = ds.Rows * ds.Columns * ds.BitsAllocated // 8
    if not 0 < size <= PIXEL_MEMORY or ds.SamplesPerPixel != 1 or int(ds.get("NumberOfFrames") or 1) != 1:
        raise ValueError("not one grey frame of a size that may be decoded")
    words = stored_words(ds).astype(np.uint16, copy=False)
    unused = max(int(ds.HighBit) + 1 - int(ds.BitsStored), 0)
    return np.asarray((words >> unused) & ((1 << int(ds.BitsStored)) - 1), np.uint16)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _texts(ds: Dataset, keywords: Iterable[str]) -> list[str]:
    little_endian = ds.original_encoding[1] is not False
    return [f"{keyword}={_readable(ds, keyword, little_endian)!r}" for keyword in keywords if keyword in ds]


def _readable(ds: Dataset, keyword: str, little_endian: bool) -> Any:
    try:
        return _text(ds, keyword, little_endian)
    except Exception:  # noqa: BLE001 - pydicom raises all kinds on malformed values
        raw = ds.get_item(keyword)
        return None if raw is None else raw.value


def _text(ds: Dataset, keyword: str, little_endian: bool) -> Any:
    """A value in a form that does not depend on how it was encoded."""
    element = ds[keyword]
    if element.VR == "SQ":
        return [[(inner.keyword, _text(item, inner.tag, little_endian)) for inner in item] for item in element.value]
    if element.keyword == "LUTData":
        return _lut(element.value, little_endian)
    values = element.value if element.VM > 1 else [element.value]
    if element.VR in ("DS", "IS", "FL", "FD"):
        return [float(value) for value in values if value is not None and str(value)]
    return [str(value).strip() for value in values if value is not None]


def _lut(value: Any, little_endian: bool) -> str:
    """LUT Data is US or OW, as its writer liked (PS3.3 C.11.2.1.1)."""
    if isinstance(value, bytes):
        entries = np.frombuffer(value[: len(value) // 2 * 2], "<u2" if little_endian else ">u2")
    else:
        entries = np.atleast_1d(np.asarray(value)).astype("<u2")
    return hashlib.sha256(entries.astype("<u2").tobytes()).hexdigest()
