"""More than one machine on one PostgreSQL: what a lost one had begun, another finishes."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from faults.cluster import Cluster
from peers.orthanc import storescu
from phantoms.mammogram import write_study

Make = Callable[..., Any]
LEASE = 3.0


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of our own, where its user may go: pytest's folders are closed to it."""
    with tempfile.TemporaryDirectory(prefix="mammonode-postgresql-") as folder:
        Path(folder).chmod(0o755)
        postgres = Cluster(Path(folder) / "postgres").create()
        yield postgres
        postgres.stop()


def test_the_work_of_a_machine_that_never_returns_is_adopted(
    node: Make, orthanc: Make, cluster: Cluster, tmp_path: Path
) -> None:
    pacs = orthanc()
    destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs.dicom_port}
    engine = {"database_url": cluster.url, "lease_seconds": LEASE}

    def machine(name: str, seconds: float) -> Any:
        sections = {"node": {"name": name, "folder": str(tmp_path / "shared")}, "engine": engine}
        return node(destinations=[destination], sections=sections, seconds=seconds)

    lost = machine("lost", 600.0)
    files = write_study(tmp_path / "study", rows=256, columns=192)
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    storescu(files, lost.port)
    lost.wait_for_state(study, "analysing")
    heir = machine("heir", 0.0)
    assert heir.status(study)["state"] == "analysing"

    lost.kill_all()
    said = heir.wait_for_state(study, "delivered")

    assert said["revision"] == 1
    assert "adopted the work of a lost executor" in heir.log.read_text()
    assert len(pacs.instances("SR")) == 2
