"""A result on disk that cannot be read: an operator's retry has it made anew."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from peers.bench import Bench, settings_for
from phantoms.mammogram import four_views
from scp import operations
from scp.revision_folder import RevisionFolder

PACS = {"name": "pacs", "host": "127.0.0.1", "port": 1}
DAMAGED = [b"", b"{", b"\x00" * 4096, b'{"study_instance_uid": "1.2"}', b"\xff\xfe"]


def _analysed(folder: Path) -> tuple[Bench, str, RevisionFolder]:
    bench = Bench(settings_for(folder, [PACS]))
    study = bench.receive(four_views(rows=64, columns=48))
    return bench, study, bench.run(study)


def _damage(revision: RevisionFolder, content: bytes = b"{") -> None:
    (revision.path / "result.json").write_bytes(content)


@pytest.mark.parametrize("content", DAMAGED)
def test_retry_has_a_damaged_result_made_anew(tmp_path: Path, content: bytes) -> None:
    bench, study, first = _analysed(tmp_path)
    _damage(first, content)
    with pytest.raises(ValidationError):
        bench.work.analyse(study, first.manifest.digest)
    assert operations.retry(bench.settings, study) == {"ok": True, "message": f"Study {study} is taken up again."}
    second = bench.run(study)
    result = second.result
    assert result is not None
    assert len(result.analysed) == 4
    assert (bench.row(study).revision, bench.analyser.calls, len(second.objects or ())) == (2, 2, 6)
    assert second.record is not None
    assert {uid for _, uid in second.record.predecessor.values()} <= {
        item.sop_instance_uid for item in first.objects or ()
    }
    # what was there is kept beside, under a name that nothing reads
    assert first.result is None
    assert [path.read_bytes() for path in first.path.glob("result.json.corrupt-*")] == [content]


def test_retry_of_one_delivery_has_it_made_anew_too(tmp_path: Path) -> None:
    bench, study, first = _analysed(tmp_path)
    _damage(first)
    assert operations.retry(bench.settings, study, "pacs")["ok"]
    assert bench.run(study).result is not None
    assert bench.analyser.calls == 2


def test_a_damaged_earlier_result_does_not_end_a_later_analysis_after_retry(tmp_path: Path) -> None:
    views = four_views(rows=64, columns=48)
    bench = Bench(settings_for(tmp_path, [PACS]))
    study = bench.receive(views[:3])
    earlier = bench.run(study)
    _damage(earlier)
    bench.receive(views[3:])
    digest = bench.settle(study)
    assert digest is not None
    with pytest.raises(ValidationError):
        bench.work.analyse(study, digest)
    assert operations.retry(bench.settings, study)["ok"]
    later = bench.run(study)
    assert later.manifest.digest == digest  # nothing was wrong with its own
    result = later.result
    assert result is not None
    assert len(result.analysed) == 4
