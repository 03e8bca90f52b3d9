"""What is deployed is checked as far as a machine without a container engine allows."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import files, packages_distributions
from pathlib import Path

import pytest
import yaml

from config.settings import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def test_kubernetes_manifests_follow_the_schema() -> None:
    command = [str(Path(sys.executable).with_name("kubernetes-validate")), "--strict"]
    done = subprocess.run(
        [*command, DEPLOY / "kubernetes" / "mammonode.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_settings_inside_the_manifests_are_accepted(tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "mammonode.yaml").read_text()))
    inside = next(document for document in documents if document["kind"] == "ConfigMap")["data"]["mammonode.toml"]
    (tmp_path / "kubernetes.toml").write_text(inside)
    assert load(tmp_path / "kubernetes.toml").destinations[0].port == 104
    assert load(DEPLOY / "orthanc" / "mammonode.toml").destinations[0].commitment


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is missing: apt-get install systemd"
    text = (DEPLOY / "mammonode.service").read_text()
    unit = tmp_path / "mammonode.service"
    # systemd checks that the program exists; the installed place does not exist here
    unit.write_text(text.replace("/opt/mammonode/.venv/bin/mammonode", "/bin/true"))
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_check_finds_does_not_keep_the_unit_from_starting() -> None:
    # a disk that is full must not keep away the node, which refuses with 0xA700 and whose retention frees it
    (before,) = re.findall("^ExecStartPre=(.*)$", (DEPLOY / "mammonode.service").read_text(), re.MULTILINE)
    assert before.startswith("-/opt/mammonode/.venv/bin/mammonode check ")


def test_compose_mounts_only_what_exists_and_calls_only_real_roles() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).is_file(), source
    commands = [service["command"] for service in compose["services"].values() if "command" in service]
    assert {command[0] for command in commands} == {"serve"}


def test_orthanc_and_node_agree_on_names_and_ports() -> None:
    orthanc = json.loads((DEPLOY / "orthanc" / "orthanc.json").read_text())
    settings = load(DEPLOY / "orthanc" / "mammonode.toml")
    node = orthanc["DicomModalities"]["mammonode"]
    assert (node["AET"], node["Port"]) == (settings.listener.ae_title, settings.listener.port)
    destination = settings.destinations[0]
    assert (orthanc["DicomAet"], orthanc["DicomPort"]) == (destination.ae_title, destination.port)


@pytest.mark.parametrize("name", ["config", "inference", "scp", "training"])
def test_import_names_belong_to_our_distribution_alone(name: str) -> None:
    assert set(packages_distributions()[name]) == {"mammonode"}


def test_the_distribution_can_never_be_uploaded_by_mistake() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]
    assert files("mammonode")


def test_top_level_is_the_layout_that_users_know() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in tracked.splitlines() if not line.startswith(".")}
    rooms = {"pyproject.toml", "scp", "inference", "training", "config", "tests", "deploy"}
    assert top <= rooms | {"README.md", "Makefile", "CHANGELOG.md", "LICENSE"}
