"""Storage commitment with Orthanc, in both roles, with an instance that is missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom import dcmread

from peers.orthanc import storescu
from peers.ports import free_port
from peers.waiting import wait_for
from phantoms.mammogram import write_study

Make = Callable[..., Any]

LOSE_ONE_SR = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  if tags['Modality'] == 'SR' and not LOST then
    LOST = true
    Delete(instanceId)
  end
end
"""


def _modality(port: int) -> dict[str, Any]:
    return {"node": {"AET": "MAMMONODE", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}}


def test_what_a_destination_has_lost_is_sent_again(orthanc: Make, node: Make, tmp_path: Path) -> None:
    port = free_port()
    lose = tmp_path / "lose.lua"
    lose.write_text(LOSE_ONE_SR)
    pacs = orthanc(modalities=_modality(port), settings={"LuaScripts": [str(lose)]})
    destination = {
        "name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs.dicom_port,
        "commitment": True, "commitment_timeout": 600.0,
    }  # fmt: skip
    mammonode = node(port=port, destinations=[destination])
    files = write_study(tmp_path / "study")
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)

    storescu(files, port)
    said = mammonode.wait_for_state(study, "delivered")

    assert said["deliveries"][0]["committed"] is True
    assert [event["event"] for event in said["events"]].count("not committed: pacs") == 1
    assert len(pacs.instances("SR")) == 2
    assert len(pacs.instances("SEG")) == 4


def test_a_sender_may_ask_what_is_kept(orthanc: Make, node: Make, tmp_path: Path) -> None:
    port = free_port()
    pacs = orthanc(modalities=_modality(port))
    peer = {"ae_title": "PACS", "address": "127.0.0.1", "port": pacs.dicom_port}
    mammonode = node(port=port, sections={"listener": {"commitment": True}}, peers=[peer])
    files = write_study(tmp_path / "study")
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    pacs.send(files)
    resources = [tags["ID"] for tags in pacs.instances()]

    job = pacs.post(
        "/modalities/node/store", {"Resources": resources, "StorageCommitment": True, "Synchronous": True}
    )
    kept = wait_for(lambda: _report(pacs, job["StorageCommitmentTransactionUID"]), 200)
    assert kept["Status"] == "Success"
    assert len(kept["Success"]) == 4
    mammonode.wait_for_state(study, "analysed")

    missing = ["1.2.840.10008.5.1.4.1.1.1.2", "1.2.3.4"]
    asked = pacs.post("/modalities/node/storage-commitment", {"DicomInstances": [missing]})
    refused = wait_for(lambda: _report(pacs, asked["ID"]), 200)
    assert refused["Status"] == "Failure"
    assert [item["FailureReason"] for item in refused["Failures"]] == [0x0112]


def _report(pacs: Any, transaction: str) -> dict[str, Any] | None:
    report = pacs.get(f"/storage-commitment/{transaction}")
    return None if report["Status"] == "Pending" else dict(report)
