"""What is deployed is checked as far as a machine without a container engine allows."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from importlib.metadata import files, packages_distributions
from pathlib import Path

import pytest
import yaml
from sqlalchemy import update

from config.settings import Settings, load
from scp.databases import journal_url
from scp.journal import Journal
from scp.leases import Leases
from scp.tables import executors

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


def test_all_parts_of_the_scale_out_use_one_database_with_the_password_that_the_comment_makes(tmp_path: Path) -> None:
    services = yaml.safe_load(_compose_with(_made_as_the_comment_says(tmp_path)))["services"]
    parts = ["node", "receiver-2", "worker-2"]
    assert [name for name, service in services.items() if "command" in service] == parts
    database = services["postgres"]["environment"]
    user, password = database["POSTGRES_USER"], database["POSTGRES_PASSWORD"]
    assert re.fullmatch("[0-9a-f]{48}", password)
    url = f"postgresql+psycopg://{user}:{password}@postgres/{database['POSTGRES_DB']}"
    assert {services[name]["environment"]["MAMMONODE_ENGINE__DATABASE_URL"] for name in parts} == {url}
    for name in parts:
        assert services[name]["depends_on"]["postgres"]["condition"] == "service_healthy"
        assert services[name]["volumes"][-1] == "node:/var/lib/mammonode"
    assert services["postgres"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]


def test_without_a_password_the_node_runs_alone_on_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    services = yaml.safe_load(_compose_with({}))["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["orthanc", "node", "ohif"]
    assert services["node"]["depends_on"]["postgres"]["required"] is False
    for key, value in services["node"]["environment"].items():
        monkeypatch.setenv(key, value or "")
    settings = load(DEPLOY / "orthanc" / "mammonode.toml")
    assert journal_url(settings) == f"sqlite:///{settings.node.folder / 'journal.db'}"


def _made_as_the_comment_says(home: Path) -> dict[str, str]:
    """What stands in the file that the comment of compose.yaml tells to make, made by its own command."""
    text = (DEPLOY / "compose.yaml").read_text()
    command = next(line.removeprefix("#").strip() for line in text.splitlines() if "> ~/mammonode.env" in line)
    assert "--env-file ~/mammonode.env" in text
    subprocess.run(["sh", "-c", command], env=os.environ | {"HOME": str(home)}, check=True)
    file = home / "mammonode.env"
    assert file.stat().st_mode & 0o777 == 0o600
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert values["COMPOSE_PROFILES"] == "scale-out"
    return values


def _compose_with(values: dict[str, str]) -> str:
    """The file with its variables put in, as Compose does it (innermost first)."""
    text = (DEPLOY / "compose.yaml").read_text()
    text = re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], ""), text)
    text = re.sub(r"\$\{(\w+):\+([^{}]*)\}", lambda found: found[2] if values.get(found[1]) else "", text)
    return re.sub(r"\$\{(\w+):-([^{}]*)\}", lambda found: values.get(found[1]) or found[2], text)


def test_the_health_of_each_role_is_asked_where_it_answers() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    image = (DEPLOY / "Containerfile").read_text().split("HEALTHCHECK")[1].splitlines()[0]
    assert str(load(DEPLOY / "orthanc" / "mammonode.toml").listener.port) in image
    # who listens has the image's check, who does not has its own
    own = {name for name, service in services.items() if "command" in service and "healthcheck" in service}
    assert own == {name for name, service in services.items() if "worker" in service.get("command", [])}
    assert own == {"worker-2"}


@pytest.mark.parametrize(("lease", "code"), [(None, 1), (-61.0, 1), (-50.0, 0)])
def test_a_worker_is_well_while_it_renews_its_lease(tmp_path: Path, lease: float | None, code: int) -> None:
    worker = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["worker-2"]
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    name = worker["environment"]["MAMMONODE_NODE__NAME"]
    journal = Journal.open(Settings(node={"folder": tmp_path}))
    if lease is not None:
        Leases(journal.engine).take(f"{name}-0", "this run")
        with journal.engine.begin() as connection:
            connection.execute(update(executors).values(renewed=time.time() + lease))
    journal.close()
    command, program, *arguments = worker["healthcheck"]["test"]
    assert (command, program) == ("CMD", "python")
    environment = os.environ | {"MAMMONODE_ENGINE__DATABASE_URL": url, "MAMMONODE_NODE__NAME": name}
    assert subprocess.run([sys.executable, *arguments], env=environment, check=False).returncode == code


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
