"""Files damaged at random, as no list of cases foresees: a reason each time, never another error."""

from datetime import date
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread, uid
from pydicom.filebase import DicomBytesIO

from inference.case import EligibilityPolicy
from inference.eligibility import judge_study
from inference.errors import UnreadablePixelsError
from inference.pixels import pixel_spacing, read_grey
from phantoms.encoding import TRANSFER_SYNTAXES
from phantoms.mammogram import mammogram

POLICY = EligibilityPolicy(False, False, False, False, False, True, 30, date(2026, 1, 1))
MEMORY = 64 << 20

edits = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True), st.sampled_from(["set", "cut", "insert", "end"]), st.binary(max_size=4)
    ),
    min_size=1,
    max_size=6,
)


@cache
def content(syntax: str) -> bytes:
    file = DicomBytesIO()
    bits = 8 if syntax == uid.JPEGBaseline8Bit else 12
    mammogram(rows=64, columns=64, bits=bits, transfer_syntax=syntax).save_as(file, enforce_file_format=True)
    return file.getvalue()


def damaged(syntax: str, changes) -> bytes:
    data = bytearray(content(syntax))
    for part, kind, new in changes:
        # half of the damage lies in the header
        at = int(part * len(data)) if kind == "end" else int(part * part * len(data))
        if kind == "set":
            data[at : at + len(new)] = new
        elif kind == "cut":
            del data[at : at + len(new)]
        elif kind == "insert":
            data[at:at] = new
        else:
            del data[max(at, 200) :]
    return bytes(data)


@pytest.mark.filterwarnings("ignore")  # pydicom warns of nearly every damage
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(syntax=st.sampled_from(TRANSFER_SYNTAXES), changes=edits)
def test_pixels_are_read_or_refused_with_a_reason(tmp_path: Path, syntax, changes):
    file = tmp_path / "damaged.dcm"
    file.write_bytes(damaged(syntax, changes))
    refused: list[UnreadablePixelsError] = []
    try:
        read_grey(file, memory=MEMORY)
    except UnreadablePixelsError as error:
        refused.append(error)
    for error in refused:
        assert error.reason.code
        assert error.reason.remedy
        assert "Synthetic" not in str(error)


@pytest.mark.filterwarnings("ignore")  # pydicom warns of nearly every damage
@settings(max_examples=300, deadline=None)
@given(changes=edits)
def test_a_header_that_can_be_parsed_can_be_judged(changes):
    try:
        ds = dcmread(DicomBytesIO(damaged(uid.ExplicitVRLittleEndian, changes)), stop_before_pixels=True)
    except Exception:  # noqa: BLE001 - whatever pydicom raises: there is no header to judge
        return
    assert len(judge_study([ds], POLICY)) == 1
    spacing = pixel_spacing(ds)
    assert spacing is None or min(spacing) > 0


@pytest.mark.filterwarnings("ignore")  # pydicom warns of the damage
def test_an_element_of_odd_length_is_absent():
    """Found by damaging files at random: pydicom has an error of its own for it, which is no ValueError."""
    data = content(uid.ExplicitVRLittleEndian)
    frames = b"\x28\x00\x08\x00US\x03\x00abc"
    pixels = data.index(b"\x28\x00\x10\x00US")
    ds = dcmread(DicomBytesIO(data[:pixels] + frames + data[pixels:]), stop_before_pixels=True)
    (verdict,) = judge_study([ds], POLICY).values()
    assert verdict.view == "CC"
