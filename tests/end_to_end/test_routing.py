"""storescu -> Orthanc -> its own rule -> node -> results back in Orthanc."""

from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.results import StudyResult
from peers.orthanc import Orthanc
from peers.ports import free_port
from peers.running_node import RunningNode
from peers.waiting import wait_for
from phantoms.mammogram import write_study
from phantoms.weights import write_weights
from scp.demonstration_study import demonstration_study

Make = Callable[..., Any]


def _modality(port: int) -> dict[str, Any]:
    return {"node": {"AET": "MAMMONODE", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}}


def _pair(orthanc: Make, node: Make, route_everything: bool = False, **options: Any) -> tuple[Orthanc, RunningNode]:
    port = free_port()
    pacs = orthanc(modalities=_modality(port), route_to="node", route_everything=route_everything)
    destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs.dicom_port}
    return pacs, node(port=port, destinations=[destination], **options)


def _read(pacs: Orthanc, modality: str) -> list[Dataset]:
    return [dcmread(BytesIO(pacs.file(tags["ID"]))) for tags in pacs.instances(modality)]


def test_a_real_study_comes_back_as_sr_and_seg(orthanc: Make, node: Make, tmp_path: Path) -> None:
    """The whole product, pixels and networks included; the networks are small ones set by hand."""
    analysis = {"weights": str(write_weights(tmp_path / "weights")), "device": "cpu", "threads": 1}
    pacs, mammonode = _pair(orthanc, node, real=True, sections={"analysis": analysis})
    files = write_study(tmp_path / "study", list(demonstration_study(malignant=True)))
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)

    pacs.send(files)
    said = mammonode.wait_for_state(study, "delivered", seconds=250)

    result = StudyResult.model_validate_json((Path(said["result_folder"]) / "result.json").read_bytes())
    marked = {image.sop_instance_uid for image in result.images if image.findings}
    assert len(result.analysed) == 4
    assert marked
    assert Counter(tags["Modality"] for tags in pacs.instances()) == {"MG": 4, "SR": 2, "SEG": len(marked)}
    reports = {ds.SOPClassUID.name: ds for ds in _read(pacs, "SR")}
    assert reports.keys() == {"Mammography CAD SR Storage", "Comprehensive 3D SR Storage"}
    assert {ds.StudyInstanceUID for ds in reports.values()} == {study}
    report = hd.sr.Comprehensive3DSR.from_dataset(reports["Comprehensive 3D SR Storage"])
    groups = report.content.get_planar_roi_measurement_groups()
    assert {group.tracking_uid for group in groups} == {finding.tracking_uid for finding in result.findings}
    segmented = set()
    for ds in _read(pacs, "SEG"):
        segmentation = hd.seg.Segmentation.from_dataset(ds)
        segmented |= {uid for _, _, uid in segmentation.get_source_image_uids()}
        assert segmentation.pixel_array.any()
    assert segmented == marked


def test_a_pacs_that_routes_everything_gets_one_revision(orthanc: Make, node: Make, tmp_path: Path) -> None:
    pacs, mammonode = _pair(orthanc, node, route_everything=True)
    files = write_study(tmp_path / "study")
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)

    pacs.send(files)
    mammonode.wait_for_state(study, "delivered")
    # the results make the study stable again, and Orthanc routes all ten instances
    wait_for(lambda: "routing 10 instances" in (pacs.folder / "orthanc.log").read_text(), 200)
    wait_for(lambda: {job["State"] for job in pacs.get("/jobs?expand")} == {"Success"}, 200)

    said = mammonode.wait_for_state(study, "delivered")
    assert (said["revision"], said["instances"]) == (1, 4)
    assert Counter(tags["Modality"] for tags in pacs.instances()) == {"MG": 4, "SR": 2, "SEG": 4}
    events = [event["event"] for event in said["events"]]
    assert events.count("built") == 1
