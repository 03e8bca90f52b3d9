"""`mammonode analyze`: any mix of studies, one bad file stops nothing, the documented JSON, the exit code."""

import json
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner

from inference.results import Module
from phantoms.mammogram import mammogram, write_study
from phantoms.weights import write_weights
from scp.cli import app


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAMMONODE_ANALYSIS__WEIGHTS", str(write_weights(tmp_path / "weights")))
    monkeypatch.setenv("MAMMONODE_ANALYSIS__DEVICE", "cpu")
    return CliRunner()


def test_two_studies_and_rubbish(run: CliRunner, tmp_path: Path) -> None:
    four = write_study(tmp_path / "in" / "four")
    one = write_study(tmp_path / "in" / "one", [mammogram("L", "CC", study_uid="1.2.3", study_date="19990101")])
    (tmp_path / "in" / "notes.txt").write_text("no DICOM")

    done = run.invoke(app, ["analyze", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--json"])

    assert done.exit_code == 1  # a file could not be read
    studies = json.loads(done.stdout)["studies"]
    assert [len(study["images"]) for study in studies] == [4, 1, 1]
    assert studies[0]["study_instance_uid"] == str(pydicom.dcmread(four[0]).StudyInstanceUID)
    # a study of long ago is analysed here: analyze knows no priors
    assert (studies[1]["study_instance_uid"], studies[1]["images"][0]["status"]) == ("1.2.3", "analysed")
    assert studies[1]["images"][0]["file"] == str(one[0])
    bad = studies[2]
    assert (bad["study_instance_uid"], bad["images"][0]["status"]) == (None, "failed")
    assert bad["images"][0]["reason"]["code"] == "not-dicom"
    keys = {"module", "score", "probability", "grade", "center", "box", "outline"}
    findings = [finding for study in studies for image in study["images"] for finding in image["findings"]]
    assert findings
    assert all(keys <= finding.keys() for finding in findings)
    assert {finding["module"] for finding in findings} <= set(Module)


def test_objects_and_pictures_are_written_for_their_owner_alone(run: CliRunner, tmp_path: Path) -> None:
    write_study(tmp_path / "in", [mammogram("R", "MLO", study_uid="1.2.3")])
    done = run.invoke(app, ["analyze", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    study = json.loads(done.stdout)["studies"][0]
    written = sorted(path.name for path in (tmp_path / "out" / "1.2.3").iterdir())
    assert [Path(path).name for path in study["objects"]][:2] == ["cad-sr.dcm", "tid1500.dcm"]
    assert {"cad-sr.dcm", "tid1500.dcm", "result.json"} < set(written)
    assert [name for name in written if name.endswith(".png")]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out" / "1.2.3").iterdir()} == {0o600}
    report = pydicom.dcmread(study["objects"][0])
    assert (report.VerificationFlag, report.StudyInstanceUID) == ("UNVERIFIED", "1.2.3")


def test_secondary_capture_only_by_the_option(run: CliRunner, tmp_path: Path) -> None:
    film = mammogram("L", "CC", study_uid="1.2.3", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID
    write_study(tmp_path / "in", [film])
    command = ["analyze", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--json"]
    excluded = json.loads(run.invoke(app, command).stdout)["studies"][0]["images"][0]
    assert excluded["status"] == "excluded"
    allowed = json.loads(run.invoke(app, [*command, "--allow-secondary-capture"]).stdout)["studies"][0]["images"][0]
    assert allowed["status"] == "analysed"


def test_missing_weights_name_the_remedy(run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path / "in", [mammogram("L", "CC")])
    monkeypatch.setenv("MAMMONODE_ANALYSIS__WEIGHTS", str(tmp_path / "nowhere"))
    done = run.invoke(app, ["analyze", str(tmp_path / "in"), "--output", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "analysis.weights" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("device", ["foo", "cuda:x", ""])
def test_a_device_that_there_cannot_be_is_told_with_those_there_are(
    run: CliRunner, tmp_path: Path, device: str
) -> None:
    write_study(tmp_path / "in", [mammogram("L", "CC")])
    command = ["analyze", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--device", device]
    done = run.invoke(app, command)
    told = f"There is no device {device}. Name one with --device: auto, cpu, cuda or cuda:N.\n"
    assert (done.exit_code, done.stderr) == (1, told)
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_told_before_the_work(run: CliRunner, tmp_path: Path) -> None:
    write_study(tmp_path / "in", [mammogram("L", "CC")])
    (tmp_path / "taken").write_text("a file, no folder")
    output = tmp_path / "taken" / "out"
    done = run.invoke(app, ["analyze", str(tmp_path / "in"), "--output", str(output)])
    told = f"{output} cannot be written (Not a directory). Name another with --output.\n"
    assert (done.exit_code, done.stderr) == (1, told)
