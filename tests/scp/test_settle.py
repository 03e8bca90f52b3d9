"""When a study is one, and what a later image, a correction or a stranger makes of it."""

import errno
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless, generate_uid
from sqlalchemy.exc import DataError, OperationalError

from peers.bench import Bench, settings_for
from phantoms.encoding import encoded
from phantoms.mammogram import four_views, mammogram, secondary_capture, tomosynthesis
from scp.engine import _is_waited_for
from scp.progress import refresh

SMALL = {"rows": 256, "columns": 192}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(settings_for(tmp_path))


def _study() -> list[Dataset]:
    return four_views(**SMALL)


def _objects(bench: Bench, study: str) -> list[Dataset]:
    row = bench.row(study)
    assert row.digest is not None
    folder = bench.work.results.revision(study, row.digest)
    return [dcmread(folder.objects_folder / item.file) for item in folder.objects or ()]


def _of(objects: Sequence[Dataset], modality: str) -> list[Dataset]:
    return [ds for ds in objects if ds.Modality == modality]


def test_a_complete_study_is_due_sooner_than_an_incomplete_one(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets[:3])
    noticed = bench.work.settling.notice(study)
    assert noticed is not None
    assert noticed[1] - bench.row(study).last_received == 600.0
    bench.receive(datasets[3:])
    again = bench.work.settling.notice(study)
    assert again is not None
    assert again[1] - bench.row(study).last_received == 0.0
    assert bench.row(study).state == "waiting"


def test_a_wake_up_for_fewer_images_than_there_are_does_nothing(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets[:3])
    early = bench.work.settling.notice(study)
    assert early is not None
    bench.receive(datasets[3:])
    assert bench.work.settle(study, early[0]) is None
    assert bench.work.results.current(study) is None


def test_the_same_images_again_in_another_syntax_change_nothing(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets)
    first = bench.run(study)
    bench.receive([encoded(ds, JPEGLSLossless) for ds in datasets])
    second = bench.run(study)
    assert second.path == first.path
    assert bench.analyser.calls == 1
    assert bench.row(study).revision == 1


def test_a_late_eligible_image_makes_a_revision_that_names_its_predecessor(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets[:3])
    bench.run(study)
    superseded = {str(ds.SOPInstanceUID) for ds in _of(_objects(bench, study), "SR")}
    bench.receive(datasets[3:])
    bench.run(study)
    assert bench.row(study).revision == 2
    named = {
        str(item.ReferencedSOPInstanceUID)
        for ds in _of(_objects(bench, study), "SR")
        for one in ds.PredecessorDocumentsSequence
        for series in one.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert named == superseded


def test_a_late_excluded_image_changes_the_status_only(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets)
    before = bench.run(study)
    bench.receive([tomosynthesis(study_uid=study)])
    after = bench.run(study)
    assert after.path == before.path
    row = bench.row(study)
    assert (row.revision, row.images, row.analysed, row.excluded, row.state) == (1, 5, 4, 1, "analysed")


def test_a_breast_that_comes_late_and_is_excluded_takes_the_benign_grade_back(bench: Bench) -> None:
    views = [ds for ds in _study() if ds.ImageLaterality == "R"]
    study = bench.receive(views)
    before = bench.run(study)
    other = mammogram("L", "CC", rows=256, columns=192, study_uid=study, BreastImplantPresent="YES")
    bench.receive([other])
    after = bench.run(study)
    assert after.path != before.path
    assert bench.row(study).revision == 2
    result = after.result
    assert result is not None
    assert result.breasts["L"].withheld is not None
    assert result.breasts["L"].withheld.code == "breast-not-analysed"


def test_a_corrected_patient_gets_new_objects_from_the_stored_scores(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets)
    bench.run(study)
    corrected = deepcopy(datasets)
    for ds in corrected:
        ds.PatientID, ds.PatientName = "OTHER", "Right^Person"
    bench.receive(corrected)
    bench.run(study)
    assert bench.analyser.calls == 1
    assert bench.row(study).revision == 2
    assert {str(ds.PatientID) for ds in _objects(bench, study)} == {"OTHER"}


def test_a_correction_taken_back_is_a_third_revision(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets)
    bench.run(study)
    corrected = deepcopy(datasets)
    for ds in corrected:
        ds.PatientID = "OTHER"
    bench.receive(corrected)
    bench.run(study)
    bench.receive(datasets)
    bench.run(study)
    bench.run(study)
    assert bench.row(study).revision == 3
    assert {str(ds.PatientID) for ds in _objects(bench, study)} == {str(datasets[0].PatientID)}
    assert bench.analyser.calls == 1


def test_half_a_correction_is_two_patients_in_one_study(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets)
    corrected = deepcopy(datasets[0])
    corrected.PatientID = "OTHER"
    bench.receive([corrected])
    assert bench.settle(study) is None
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("failed", "two-patients")
    rest = deepcopy(datasets[1:])
    for ds in rest:
        ds.PatientID = "OTHER"
    bench.receive(rest)
    bench.run(study)
    assert bench.row(study).state == "analysed"


def test_changed_pixels_under_the_same_uid_are_analysed_again(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets)
    bench.run(study)
    changed = deepcopy(datasets[0])
    changed.PixelData = bytes(len(changed.PixelData))
    bench.receive([changed])
    bench.run(study)
    assert bench.analyser.calls == 2
    assert bench.row(study).revision == 2


def test_a_revision_overtaken_before_it_was_built_is_dropped(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets[:3])
    early = bench.settle(study)
    assert early is not None
    assert bench.work.analyse(study, early)
    bench.receive(datasets[3:])
    late = bench.settle(study)
    assert late is not None
    assert bench.work.build(study, early) == []
    assert bench.work.analyse(study, late)
    bench.work.build(study, late)
    assert bench.row(study).revision == 1
    assert bench.work.results.revision(study, early).objects is None


def test_tomosynthesis_alone_gets_a_result_that_says_so(bench: Bench) -> None:
    study = bench.receive(
        [
            tomosynthesis("R", "CC"),
        ]
    )
    bench.run(study)
    row = bench.row(study)
    assert row.state == "excluded"
    assert row.reason is not None
    assert len(_of(_objects(bench, study), "SR")) == 2


def test_a_prior_is_kept_and_nothing_is_sent(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, studies={"prior_days": 30}))
    old = (datetime.now(UTC) - timedelta(days=1000)).strftime("%Y%m%d")
    datasets = _study()
    for ds in datasets:
        ds.StudyDate = old
    study = bench.receive(datasets)
    assert bench.settle(study) is None
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code, row.excluded) == ("excluded", "prior", 4)
    assert len(bench.receiver.instances(study)) == 4


def test_a_study_without_a_mammogram_is_left_alone(bench: Bench) -> None:
    ds = secondary_capture(**SMALL)
    ds.Modality = "OT"
    study = bench.receive([ds])
    assert bench.settle(study) is None
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("excluded", "no-mammography")


def test_a_male_patient_is_excluded_and_the_result_says_so(bench: Bench) -> None:
    study = bench.receive(four_views(**SMALL, PatientSex="M"))
    bench.run(study)
    assert bench.row(study).state == "excluded"


def test_a_study_of_a_hundred_images(bench: Bench) -> None:
    study, series = generate_uid(), generate_uid()
    datasets = [
        mammogram(side, view, rows=64, columns=48, study_uid=study, series_uid=series, instance_number=number)
        for number in range(1, 26)
        for side, view in (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
    ]
    bench.receive(datasets)
    digest = bench.settle(study)
    assert digest is not None
    assert bench.row(study).images == 100
    assert bench.work.analyse(study, digest)


def test_a_study_that_kills_its_worker_is_set_aside(bench: Bench) -> None:
    study = bench.receive(_study())
    # what five killed workers leave behind
    attempts = bench.settings.node.folder / "attempts"
    attempts.mkdir(exist_ok=True)
    (attempts / study).write_text("5")
    assert bench.settle(study) is None
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("failed", "worker-crash")


def test_who_sent_what_is_in_the_audit_trail_without_identity(bench: Bench) -> None:
    datasets = _study()
    study = bench.receive(datasets, sender="MG1")
    bench.run(study)
    trail = "".join(path.read_text() for path in (bench.settings.node.folder / "audit").iterdir())
    assert trail.count('"event":"instance-received"') == 4
    assert trail.count('"ae_title":"MG1","address":"10.0.0.7","called":"MAMMONODE"') == 4
    assert str(datasets[0].PatientID) not in trail
    assert "Synthetic" not in trail
    assert {oct(path.stat().st_mode & 0o777) for path in (bench.settings.node.folder / "audit").iterdir()} == {
        "0o600"
    }


def test_a_failure_stays_whatever_becomes_of_an_earlier_result(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, [{"name": "pacs", "host": "127.0.0.1", "port": 1}]))
    views = four_views(rows=256, columns=192)
    study = bench.receive(views[:3])
    digest = bench.run(study).manifest.digest
    views[3].PatientID = "OTHER"
    bench.receive(views[3:])
    assert bench.settle(study) is None
    bench.journal.record_delivery(study, digest, "pacs", state="delivered")
    refresh(bench.journal, study)
    row = bench.row(study)
    assert (row.state, row.reason and row.reason.code) == ("failed", "two-patients")


def test_a_result_that_is_not_built_yet_is_not_shown_as_analysed(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path, [{"name": "pacs", "host": "127.0.0.1", "port": 1}]))
    views = four_views(rows=256, columns=192)
    study = bench.receive(views[:3])
    bench.run(study)
    bench.receive(views[3:])
    assert bench.settle(study) is not None
    refresh(bench.journal, study)
    assert bench.row(study).state == "analysing"
    bench.work.broken(study, RuntimeError("unforeseen"))
    refresh(bench.journal, study)
    assert bench.row(study).state == "failed"


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO, errno.EACCES])
def test_trouble_with_the_disk_says_nothing_of_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    bench = Bench(settings_for(tmp_path))
    study = bench.receive(four_views(rows=256, columns=192))

    def unreadable(*_: object, **__: object) -> Dataset:
        raise OSError(code, "trouble")

    monkeypatch.setattr("scp.studies.dcmread", unreadable)
    with pytest.raises(OSError, match="trouble") as raised:
        bench.settle(study)
    assert _is_waited_for(raised.value)
    monkeypatch.undo()
    assert bench.settle(study) is not None


def test_a_study_none_of_whose_headers_can_be_read_is_not_called_no_mammogram(tmp_path: Path) -> None:
    bench = Bench(settings_for(tmp_path))
    study = bench.receive(four_views(rows=256, columns=192)[:1])
    (instance,) = bench.receiver.instances(study)
    instance.path.write_bytes(b"damaged")
    assert bench.settle(study) is not None  # it ends as a failed image


def test_a_value_that_a_database_refuses_is_not_waited_for() -> None:
    assert not _is_waited_for(DataError("insert", {}, Exception("value too long")))
    assert _is_waited_for(OperationalError("insert", {}, Exception("gone")))
