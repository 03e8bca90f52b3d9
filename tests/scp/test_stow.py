"""STOW-RS to a real DICOMweb server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.bench import Bench, settings_for
from peers.orthanc import Orthanc
from phantoms.mammogram import four_views
from scp import operations


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    pacs = Orthanc(tmp_path / "orthanc").start()
    yield pacs
    pacs.stop()


def test_a_dicomweb_destination_gets_everything(orthanc: Orthanc, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{orthanc.http_port}/dicom-web"
    bench = Bench(settings_for(tmp_path / "node", [{"name": "web", "url": url}]))
    study = bench.receive(four_views(rows=256, columns=192))
    bench.run(study)
    assert operations.echo(bench.settings, "web")["ok"]
    assert bench.deliver(study, "web") is None
    assert bench.row(study).state == "delivered"
    assert sorted(tags["Modality"] for tags in orthanc.instances()) == ["SEG"] * 4 + ["SR"] * 2
    # the same once more: Orthanc keeps what it has
    assert operations.send(bench.settings, study, "web")["ok"]
    assert bench.deliver(study, "web") is None
    assert len(orthanc.instances()) == 6
