"""Reading a header whose values may be absent, empty or nonsense: what cannot be read is not there."""

import math
import re
import struct
from datetime import date, datetime

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as DicomSequence

_UNREADABLE = (
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    NotImplementedError,
    AttributeError,
    OSError,
    EOFError,
    RecursionError,
    struct.error,
    BytesLengthException,
)
"""What pydicom raises for one damaged element, on access."""


def values(ds: Dataset, keyword: str) -> tuple[str, ...]:
    """The element's values as upper-case text without padding; () where absent, empty or unreadable."""
    try:
        value = ds.get(keyword)
        several = value if isinstance(value, (MultiValue, list, tuple)) else () if value is None else (value,)
        return tuple(text for item in several if (text := str(item).strip(" \0").upper()))
    except _UNREADABLE:
        # one bad element must not hide the others, and no value of it is better than a guess
        return ()


def first(ds: Dataset, keyword: str) -> str:
    """The element's first value, '' where there is none."""
    return next(iter(values(ds, keyword)), "")


def items(ds: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence, () where absent or no sequence."""
    try:
        value = ds.get(keyword)
    except _UNREADABLE:
        return ()
    return tuple(value) if isinstance(value, DicomSequence) else ()


def number(ds: Dataset, keyword: str) -> float:
    """A decimal, NaN where there is none: no comparison holds for that."""
    try:
        return float(first(ds, keyword))
    except ValueError:
        return math.nan


def frames(ds: Dataset) -> int:
    """Number of Frames, 1 where it does not say."""
    text = first(ds, "NumberOfFrames")
    return int(text) if text.isdecimal() else 1


def day(ds: Dataset, keyword: str) -> date | None:
    """A date (PS3.5 6.2, DA; the old form with dots too), None where there is none."""
    text = first(ds, keyword).replace(".", "").replace("-", "")
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - DA has no time zone
    except ValueError:
        return None


def age_in_years(ds: Dataset) -> int | None:
    """Age at the study: from birth date and study date, else Patient's Age (PS3.5 6.2, AS)."""
    born, studied = day(ds, "PatientBirthDate"), day(ds, "StudyDate")
    if born is not None and studied is not None and born <= studied:
        return studied.year - born.year - ((studied.month, studied.day) < (born.month, born.day))
    match = re.fullmatch(r"(\d{1,3})([DWMY])", first(ds, "PatientAge"))
    if match is None:
        return None
    return int(int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]])
