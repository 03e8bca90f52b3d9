"""`mammonode demo` as a newcomer runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from scp.demo import DemoError, _empty

OBJECTS = {"Mammography CAD SR Storage", "Comprehensive 3D SR Storage", "Segmentation Storage"}


@pytest.mark.timeout(300)
def test_the_demonstration_leaves_results_pictures_and_the_study_that_was_sent(tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = [sys.executable, "-P", "-m", "scp.cli", "demo", "--output", str(output), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {dcmread(path).SOPClassUID.name for path in answer["objects"]} == OBJECTS
    assert [Path(path).suffix for path in answer["pictures"]] == [".png"] * 4
    sent = [dcmread(path, stop_before_pixels=True) for path in sorted((output / "study").iterdir())]
    assert {str(ds.StudyInstanceUID) for ds in sent} == {answer["result"]["study_instance_uid"]}
    assert {str(ds.SOPInstanceUID) for ds in sent} == {
        image["sop_instance_uid"] for image in answer["result"]["images"]
    }


def test_a_folder_with_other_files_stays_as_it_is(tmp_path: Path) -> None:
    for name in ("pacs", "study"):
        (tmp_path / name).mkdir()
    (tmp_path / "LCC-1.png").touch()
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(DemoError, match="holds other files, which stay as they are"):
        _empty(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    (tmp_path / "thesis.tex").unlink()
    _empty(tmp_path)
    assert not tmp_path.exists()
