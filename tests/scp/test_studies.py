"""What is kept in memory of the spool's files."""

from pathlib import Path

from pydicom.dataelem import RawDataElement

from phantoms.mammogram import mammogram
from scp.instances import SKIPPED
from scp.studies import header_of


def test_a_header_that_is_kept_leaves_large_values_in_the_file(tmp_path: Path) -> None:
    """512 headers are kept: with 40 MB of a private element in each they would be 20 GB."""
    ds = mammogram(rows=16, columns=16)
    large = ds.private_block(0x0011, "LARGE", create=True)
    large.add_new(0x01, "OB", bytes(SKIPPED + 2))
    large.add_new(0x02, "OB", b"small!")
    path = tmp_path / "large.dcm"
    ds.save_as(path, enforce_file_format=True)

    header = header_of(path)

    assert header is not None
    [raw] = [element for element in header.values() if element.tag == large.get_tag(0x01)]  # as they are, unread
    assert isinstance(raw, RawDataElement)
    assert raw.value is None
    assert header[large.get_tag(0x02)].value == b"small!"
    assert len(header[large.get_tag(0x01)].value) == SKIPPED + 2
