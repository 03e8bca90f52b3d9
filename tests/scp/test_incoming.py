"""A data set while it arrives."""

from scp import incoming
from scp.incoming import EARLY, IncomingFile


def test_the_disk_begins_before_the_last_byte_has_come(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(incoming, "write_early", lambda _file, offset, size: begun.append((offset, size)))
    with IncomingFile(tmp_path, 1 << 30, 0) as file:
        for _ in range(9):
            file.write(bytes(EARLY // 4))
    assert begun == [(0, EARLY), (EARLY, EARLY)]


def test_what_was_begun_early_is_all_there(tmp_path):
    piece = bytes(range(256)) * (EARLY // 512)
    with IncomingFile(tmp_path, 1 << 30, 0) as file:
        for _ in range(5):
            file.write(piece)
        file.sync()
        assert file.path.read_bytes() == 5 * piece
