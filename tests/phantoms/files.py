"""Data sets as they are once they have been a file."""

from io import BytesIO

import pydicom
from pydicom.dataset import Dataset


def reread(ds: Dataset) -> Dataset:
    """Written and read again."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(buffer.getvalue()))


def named(ds: Dataset, character_set: str | list[str], name: str) -> Dataset:
    """With that patient's name, from a file in that character set."""
    ds.SpecificCharacterSet, ds.PatientName = character_set, name
    return reread(ds)
