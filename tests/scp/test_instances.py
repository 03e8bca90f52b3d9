"""Damaged data sets are refused before anything looks at them twice; whole ones are not."""

import struct
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1

from peers.raw_peer import encoded as bytes_of
from phantoms.encoding import encoded
from phantoms.mammogram import mammogram
from scp import instances
from scp.incoming import RefusedInstanceError
from scp.instances import check_command, read_header

IMAGE = mammogram(rows=16, columns=16)
PLAIN = bytes_of(IMAGE)


def _whole(ds):
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    content = buffer.getvalue()
    return content[144 + struct.unpack_from("<I", content, 140)[0] :]


COMPRESSED = _whole(encoded(mammogram(rows=16, columns=16, bits=8), JPEGLosslessSV1))


@pytest.fixture
def read(tmp_path):
    def read_bytes(content, syntax=ExplicitVRLittleEndian, offset=0):
        (tmp_path / "x").write_bytes(content)
        return read_header(tmp_path / "x", offset, syntax)

    return read_bytes


def test_reads_everything_but_the_pixels(read):
    header = read(PLAIN)
    assert header.SOPInstanceUID == IMAGE.SOPInstanceUID
    assert header.PatientName == IMAGE.PatientName
    assert "PixelData" not in header


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLosslessSV1])
def test_reads_other_syntaxes(read, syntax):
    header = read(_whole(encoded(mammogram(rows=16, columns=16, bits=8, sop_uid="1.2"), syntax)), syntax)
    assert header.SOPInstanceUID == "1.2"


def test_elements_behind_the_pixel_data_are_visited(read):
    padding = struct.pack("<HH2s2xI", 0xFFFC, 0xFFFC, b"OB", 4) + bytes(4)
    assert read(PLAIN + padding).SOPInstanceUID == IMAGE.SOPInstanceUID
    with pytest.raises(RefusedInstanceError):
        read(PLAIN + padding[:-1])


BOUNDARIES = {len(bytes_of(IMAGE[: element.tag + 1])) for element in IMAGE if element.tag >= Tag("SeriesInstanceUID")}
"""Where a cut leaves a data set that is whole, only shorter, with all its UIDs."""


@given(cut=st.integers(1, len(PLAIN) - 1))
def test_any_cut_is_noticed(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "x"
    path.write_bytes(PLAIN[:cut])
    if cut in BOUNDARIES:
        read_header(path, 0, ExplicitVRLittleEndian)
        return
    with pytest.raises(RefusedInstanceError) as refusal:
        read_header(path, 0, ExplicitVRLittleEndian)
    assert refusal.value.status == 0xC000


@given(cut=st.integers(1, 700))
def test_any_cut_in_encapsulated_pixel_data_is_noticed(tmp_path_factory, cut):
    start = COMPRESSED.rindex(b"\xe0\x7f\x10\x00OB") + 12
    path = tmp_path_factory.mktemp("cut") / "x"
    path.write_bytes(COMPRESSED[: max(start, len(COMPRESSED) - cut)])
    with pytest.raises(RefusedInstanceError):
        read_header(path, 0, JPEGLosslessSV1)


@given(content=st.binary(max_size=2000))
def test_noise_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("noise") / "x"
    path.write_bytes(content)
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian):
        with pytest.raises(RefusedInstanceError) as refusal:
            read_header(path, 0, syntax)
        assert refusal.value.status == 0xC000
        assert len(refusal.value.comment) <= 64


@given(position=st.integers(0, len(PLAIN) - 1), value=st.integers(0, 255))
def test_one_wrong_byte_is_refused_or_read(tmp_path_factory, position, value):
    path = tmp_path_factory.mktemp("byte") / "x"
    path.write_bytes(PLAIN[:position] + bytes([value]) + PLAIN[position + 1 :])
    with suppress(RefusedInstanceError):
        read_header(path, 0, ExplicitVRLittleEndian)


def test_a_header_of_very_many_elements_is_refused(read, monkeypatch):
    monkeypatch.setattr(instances, "HEADER_READS", 500)
    with pytest.raises(RefusedInstanceError):
        read(b"".join(struct.pack("<HH2sH", 9, number, b"CS", 0) for number in range(600)) + PLAIN)


def test_a_header_of_very_many_bytes_is_refused(read, monkeypatch):
    monkeypatch.setattr(instances, "HEADER_BYTES", 10_000)
    items = struct.pack("<HH2s2xI", 8, 0x1111, b"SQ", 0xFFFFFFFF) + (
        struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + b"\x10\x00\x10\x00PN\xf0\xff" + bytes(0xFFF0)
    )
    with pytest.raises(RefusedInstanceError):
        read(items)


def test_sequences_nested_without_end_are_refused(read):
    level = struct.pack("<HH2s2xI", 8, 0x1111, b"SQ", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(RefusedInstanceError, match="RecursionError"):
        read(level * 20_000)


def test_a_damaged_sequence_inside_a_sequence_is_refused(read):
    damaged = struct.pack("<HH2s2xI", 8, 0x1111, b"SQ", 6) + b"\xfe\xff\x00\xe0\x00\x00"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(damaged)) + damaged
    outer = struct.pack("<HH2s2xI", 8, 0x1110, b"SQ", len(item)) + item
    start = PLAIN.index(b"\x10\x00\x10\x00PN")
    with pytest.raises(RefusedInstanceError, match="Cannot be parsed"):
        read(PLAIN[:start] + outer + PLAIN[start:])


def test_the_reason_holds_no_value(read):
    with pytest.raises(RefusedInstanceError) as refusal:
        read(PLAIN[:-3])
    assert "Synthetic" not in str(refusal.value)


@pytest.mark.parametrize(
    ("sop_class", "instance"),
    [("1.2.840.10008.5.1.4.1.1.7", IMAGE.SOPInstanceUID), (IMAGE.SOPClassUID, "1.2.3")],
    ids=["class", "instance"],
)
def test_another_instance_than_the_command_says(read, sop_class, instance):
    with pytest.raises(RefusedInstanceError) as refusal:
        check_command(read(PLAIN), sop_class, instance)
    assert refusal.value.status == 0xA900


def test_sequences_of_very_many_items_are_refused(tmp_path):
    """An item of 8 bytes becomes a data set in memory: 29 kB deflated took 1.4 GB and two minutes."""
    ds = mammogram(rows=16, columns=16)
    items = [Dataset() for _ in range(8000)]
    for number in range(7):
        block = ds.private_block(0x0011, f"MANY {number}", create=True)
        block.add_new(0x01, "SQ", items)
    path = tmp_path / "many.dcm"
    ds.save_as(path, enforce_file_format=True)
    meta = read_file_meta_info(path)
    offset = 144 + meta.FileMetaInformationGroupLength
    with pytest.raises(RefusedInstanceError, match="0xC000"):
        read_header(path, offset, ExplicitVRLittleEndian)
    for number in range(2, 7):
        del ds[ds.private_block(0x0011, f"MANY {number}").get_tag(0x01)]
    ds.save_as(path, enforce_file_format=True)
    assert read_header(path, offset, ExplicitVRLittleEndian).SOPInstanceUID == ds.SOPInstanceUID
