"""The spool: layout, durability, versions, marks, and what happens on a bad disk."""

import errno
import os
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from phantoms.mammogram import mammogram
from scp.incoming import IncomingFile, RefusedInstanceError, Sender, inflate, secure_delete
from scp.spool import Spool, checked

SENDER = Sender("MODALITY", "10.1.2.3", "MAMMONODE")
SYNTAX = "1.2.840.10008.1.2.1"


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


def _header(study="1.2.3", instance="1.2.3.4"):
    header = Dataset()
    header.StudyInstanceUID, header.SOPInstanceUID = study, instance
    return header


def _store(spool, content=b"\x08\x00\x05\x00CS\x00\x00", sender=SENDER, **uids):
    with spool.begin() as incoming:
        incoming.write_preamble("1.2.840.10008.5.1.4.1.1.1.2", "1.2.3.4", SYNTAX, sender)
        incoming.write(content)
        return spool.store(incoming, _header(**uids))


def _named(descriptor):
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _content(path):
    return path.read_bytes()[-1:]


def test_layout_can_be_read_by_a_person(spool):
    kept = _store(spool)
    assert kept.parent == spool.folder / "studies" / "1.2.3"
    assert kept.name.startswith("1.2.3.4.20")
    assert kept.name.endswith("Z.dcm")
    assert (spool.folder / "inbox" / "1.2.3").exists()
    modes = {path.stat().st_mode & 0o777 for path in spool.folder.rglob("*") if path.is_dir()}
    assert modes == {0o700}
    assert kept.stat().st_mode & 0o777 == 0o600


def test_success_only_after_file_and_folder_are_synced(spool, monkeypatch):
    order = []
    real_fsync, real_rename = os.fsync, Path.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append(_named(fd)), real_fsync(fd)))
    monkeypatch.setattr(Path, "rename", lambda path, to: (order.append("rename"), real_rename(path, to))[1])
    kept = _store(spool)
    temporary, folders = order[0], [place for place in order[1:] if place != "rename"]
    assert temporary.endswith(".part")
    assert order.index("rename") > 0
    assert str(kept.parent) == folders[-1]
    assert order[-1] == str(kept.parent)
    assert str(spool.studies) in folders, "the study's folder is new: its name must be durable, too"


def test_a_resend_is_answered_only_when_the_first_name_is_durable(spool, monkeypatch):
    """Its first sender may have been killed between rename and sync; then the power is cut."""
    kept = _store(spool)
    order = []
    real_fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append(_named(fd)), real_fsync(fd)))
    assert _store(spool) is None
    assert str(kept.parent) in order


def test_a_folder_that_is_there_already_may_not_be_durable_yet(spool, monkeypatch):
    """Who made it may have been killed between making and syncing."""
    (spool.studies / "1.2.3").mkdir()
    order = []
    real_fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append(_named(fd)), real_fsync(fd)))
    _store(spool)
    assert order.count(str(spool.studies)) == 1
    _store(spool, instance="1.2.3.5")
    assert order.count(str(spool.studies)) == 1


def test_sender_is_in_the_file_itself(spool):
    _store(spool)
    [instance] = spool.instances("1.2.3")
    assert instance.sender == SENDER
    assert instance.received.tzname() == "UTC"


def test_versions_of_an_instance(spool):
    one = _store(spool, b"\x01")
    assert _store(spool, b"\x01", Sender("PACS", "10.9.9.9", "MAMMONODE")) is None
    two = _store(spool, b"\x02")
    assert [version.path for version in spool.versions("1.2.3")] == [one, two]
    assert [version.path for version in spool.instances("1.2.3")] == [two]
    # the first one again: a correction was taken back, so it is the latest now, at no cost in bytes
    again = _store(spool, b"\x01")
    assert _content(again) == b"\x01"
    assert again.stat().st_ino == one.stat().st_ino
    assert [version.path for version in spool.instances("1.2.3")] == [again]
    assert len(spool.versions("1.2.3")) == 3


def test_an_instance_whose_uid_begins_like_another(spool):
    longer = _store(spool, b"\x01", instance="1.2.3.4.5")
    shorter = _store(spool, b"\x01", instance="1.2.3.4")
    assert shorter is not None
    assert [item.path for item in spool.instances("1.2.3")] == [longer, shorter]


def test_no_mark_is_lost(spool):
    _store(spool, b"\x01")
    assert spool.claim("worker-1") == ("1.2.3",)
    # another instance while the first is being worked upon
    _store(spool, b"\x02")
    spool.done("worker-1", "1.2.3")
    assert spool.claim("worker-1") == ("1.2.3",)
    # a crash before `done`: the next run of this worker finds its claim
    assert Spool(spool.folder).claim("worker-1") == ("1.2.3",)
    spool.done("worker-1", "1.2.3")
    assert spool.claim("worker-1") == ()


def test_two_claimers_never_get_the_same_mark(spool):
    _store(spool, study="1.2.3")
    assert spool.claim("a") == ("1.2.3",)
    assert spool.claim("b") == ()


def test_sweep_overwrites_and_removes_what_an_earlier_run_left(spool, tmp_path):
    orphan = spool.incoming / "0123.part"
    orphan.write_bytes(b"Doe^Jane" * 1000)
    second_name = tmp_path / "evidence"
    os.link(orphan, second_name)
    other = Spool(spool.folder, owner="receiver-2").incoming / "alive.part"
    other.touch()
    assert Spool(spool.folder).sweep() == 1
    assert not orphan.exists()
    assert second_name.read_bytes() == bytes(8000)
    assert other.exists(), "the other receiver's file is arriving now"


def test_secure_delete_of_what_is_gone_is_well(tmp_path):
    secure_delete(tmp_path / "gone")


def test_remove_leaves_no_study(spool):
    _store(spool, b"\x01")
    _store(spool, b"\x02")
    names = [version.path.name for version in spool.versions("1.2.3")]
    late = _store(spool, b"\x03")
    spool.remove("1.2.3", names)
    assert [version.path for version in spool.versions("1.2.3")] == [late]  # it came after the list was made
    spool.remove("1.2.3", [late.name])
    assert list(spool.study_uids()) == []
    assert spool.versions("1.2.3") == ()
    spool.remove("1.2.3", [late.name])


BAD = ["", ".", "..", "1/2", "../1", "1.2\x00", "1.2 ", "a", "1" * 65, "1..2", "1.2.", "\u0661.2"]


@pytest.mark.parametrize("uid", BAD)
def test_only_uids_become_paths(uid):
    with pytest.raises(RefusedInstanceError) as refusal:
        checked(uid)
    assert refusal.value.status == 0xC000


@pytest.mark.parametrize("uid", ["1", "1.2", "0.0", "1.2.0840", "1" * 64])
def test_uids_become_paths(uid):
    assert checked(uid) == uid


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SOPInstanceUID"])
def test_store_says_which_uid_is_missing(spool, keyword):
    header = _header()
    del header[keyword]
    with spool.begin() as incoming, pytest.raises(RefusedInstanceError, match=f"{keyword} is missing"):
        spool.store(incoming, header)
    assert list(spool.incoming.iterdir()) == []


DISK = [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO]


@pytest.mark.parametrize("code", DISK)
@pytest.mark.parametrize("call", ["open", "write", "fsync"])
def test_a_disk_that_fails_is_out_of_resources(spool, monkeypatch, call, code):
    def fail(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        incoming = spool.begin()
        incoming.write(b"content")
        with pytest.raises(RefusedInstanceError, match="The spool cannot be written") as refusal:
            incoming.sync()
    assert refusal.value.status == 0xA700
    incoming.discard()
    assert list(spool.incoming.iterdir()) == []


def test_a_disk_that_fails_at_the_rename_is_out_of_resources(spool, monkeypatch):
    def fail(*_args):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(RefusedInstanceError) as refusal:
        _store(spool)
    assert refusal.value.status == 0xA700
    assert list(spool.incoming.iterdir()) == []


def test_watermark_is_looked_at_before_and_while_writing(tmp_path, monkeypatch):
    free = [100]
    monkeypatch.setattr("scp.incoming.free_bytes", lambda _folder: free[0])
    monkeypatch.setattr("scp.incoming.CHECK_EVERY", 1000)
    incoming = IncomingFile(tmp_path, limit=1 << 20, free_space=50)
    incoming.write(bytes(900))
    free[0] = 10
    incoming.write(bytes(900))
    with pytest.raises(RefusedInstanceError, match="nearly full") as refusal:
        incoming.sync()
    assert refusal.value.status == 0xA700
    incoming.discard()
    assert IncomingFile(tmp_path, limit=1 << 20, free_space=50).refusal.status == 0xA700
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_has_no_room(tmp_path):
    assert IncomingFile(tmp_path / "gone", limit=1, free_space=1).refusal.status == 0xA700


def test_preamble_is_read_back_by_pydicom(spool, tmp_path):
    image = mammogram(rows=16, columns=16)
    image.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    with spool.begin() as incoming:
        incoming.write_preamble(image.SOPClassUID, image.SOPInstanceUID, SYNTAX, Sender("A" * 15, "::1", "B"))
        offset = incoming.offset
        content = (tmp_path / "x.dcm").read_bytes()
        incoming.write(content[content.index(b"\x08\x00\x05\x00CS") :])
        incoming.sync()
        read = dcmread(incoming.path)
        assert read == image
        assert read.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID
        assert read.file_meta.SendingApplicationEntityTitle == "A" * 15
        assert read.file_meta.SourcePresentationAddress == "::1"
        assert offset == 144 + read.file_meta.FileMetaInformationGroupLength


def test_a_deflate_bomb_is_stopped_at_the_limit(tmp_path):
    import zlib

    deflater = zlib.compressobj(wbits=-15)
    bomb = tmp_path / "bomb"
    bomb.write_bytes(b"".join(deflater.compress(bytes(1 << 20)) for _ in range(64)) + deflater.flush())
    assert bomb.stat().st_size < 1 << 17
    with IncomingFile(tmp_path, limit=1 << 20, free_space=0) as inflated:
        with pytest.raises(RefusedInstanceError, match="Larger than") as refusal:
            inflate(bomb, 0, inflated)
        assert refusal.value.status == 0xC000
        assert inflated.path.stat().st_size <= 1 << 20


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff\xff", b"\x4b\x04"])
def test_what_is_no_deflate_stream_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with IncomingFile(tmp_path, limit=1 << 20, free_space=0) as inflated, pytest.raises(RefusedInstanceError):
        inflate(tmp_path / "x", 0, inflated)
