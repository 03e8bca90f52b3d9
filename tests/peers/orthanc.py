"""Orthanc as a stand-in PACS: its own routing rule (Lua), its own DICOM, its own REST interface."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from peers.ports import free_port
from peers.waiting import wait_for

PLUGINS = Path("/usr/share/orthanc/plugins")

ROUTE = """
function OnStableStudy(studyId, tags, metadata)
  local send = {}
  for _, instance in ipairs(ParseJson(RestApiGet('/studies/' .. studyId .. '/instances'))) do
    local modality = RestApiGet('/instances/' .. instance['ID'] .. '/content/0008-0060'):gsub('%s+$', '')
    if EVERYTHING or modality == 'MG' then table.insert(send, instance['ID']) end
  end
  if #send > 0 then
    print('routing ' .. #send .. ' instances')
    RestApiPost('/modalities/' .. TARGET .. '/store',
      DumpJson({Resources = send, Asynchronous = true, Permissive = true, StorageCommitment = COMMITMENT}, true))
  end
end
"""


@dataclass
class Orthanc:
    """One running Orthanc. `route_to` names the modality to which studies are routed once stable."""

    folder: Path
    ae_title: str = "PACS"
    modalities: dict[str, dict[str, Any]] = field(default_factory=dict)
    route_to: str | None = None
    route_everything: bool = False
    request_commitment: bool = False
    overwrite: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    _client: httpx.Client = field(default_factory=lambda: httpx.Client(verify=False))

    def start(self) -> "Orthanc":
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "orthanc.json").write_text(json.dumps(self._configuration()))
        flag = {True: "true", False: "false"}
        (self.folder / "route.lua").write_text(
            f"TARGET = '{self.route_to}'\nEVERYTHING = {flag[self.route_everything]}\n"
            f"COMMITMENT = {flag[self.request_commitment]}\n{ROUTE if self.route_to else ''}"
        )
        program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, str(self.folder / "orthanc.json")],
                stdout=log,
                stderr=log,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
        wait_for(self._answers, 30, "Orthanc did not start")
        return self

    def stop(self) -> None:
        """End it."""
        self._client.close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def get(self, path: str) -> Any:
        """A REST resource."""
        return self._request("GET", path).json()

    def post(self, path: str, content: Any) -> Any:
        """POST JSON."""
        return self._request("POST", path, json=content).json()

    def delete(self, path: str) -> None:
        """Delete a resource."""
        self._request("DELETE", path)

    def file(self, instance: str) -> bytes:
        """The stored DICOM file."""
        return self._request("GET", f"/instances/{instance}/file").content

    def instances(self, modality: str | None = None) -> list[dict[str, Any]]:
        """ID, SOPInstanceUID, StudyInstanceUID and Modality of all instances, of one modality if given."""
        series = {item["ID"]: item for item in self.get("/series?expand")}
        studies = {item["ID"]: item["MainDicomTags"]["StudyInstanceUID"] for item in self.get("/studies?expand")}
        found = []
        for instance in self.get("/instances?expand"):
            parent = series.get(instance["ParentSeries"])
            if parent is None or parent["ParentStudy"] not in studies:
                continue  # it has arrived between the three questions
            one = {
                "ID": instance["ID"],
                "SOPInstanceUID": instance["MainDicomTags"]["SOPInstanceUID"],
                "StudyInstanceUID": studies[parent["ParentStudy"]],
                "Modality": parent["MainDicomTags"]["Modality"],
            }
            if modality in (None, one["Modality"]):
                found.append(one)
        return found

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._client.request(method, f"http://127.0.0.1:{self.http_port}{path}", timeout=30, **options)
        answer.raise_for_status()
        return answer

    def send(self, paths: Sequence[Path], aet: str = "MODALITY") -> None:
        """Push files into it as a modality would."""
        storescu(paths, self.dicom_port, aet=aet, aec=self.ae_title)

    def _answers(self) -> bool:
        try:
            return bool(self.get("/system"))
        except httpx.HTTPError:
            return False

    def _configuration(self) -> dict[str, Any]:
        database = str(self.folder / "db")
        return {
            "Name": self.ae_title,
            "DicomAet": self.ae_title,
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": True,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StorageDirectory": database,
            "IndexDirectory": database,
            "SyncStorageArea": False,
            "StableAge": 1,
            "OverwriteInstances": self.overwrite,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowEcho": True,
            "DicomCheckModalityHost": False,
            "UnknownSopClassAccepted": True,
            "MaximumPduLength": 131072,
            "DicomModalities": self.modalities,
            "LuaScripts": [str(self.folder / "route.lua")],
            "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so"), str(PLUGINS / "libOrthancGdcm.so")],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True, "Ssl": False},
            **self.settings,
        }


def storescu(paths: Sequence[Path], port: int, aet: str = "MODALITY", aec: str = "MAMMONODE") -> None:
    """C-STORE files with dcmtk; raises CalledProcessError if one of them is refused."""
    command = ["storescu", "-R", "-aet", aet, "-aec", aec, "127.0.0.1", str(port), *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
