"""The node page, liveness, readiness, and metrics that a Prometheus and the dashboard understand."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.analysis import Analysis
from phantoms.web_study import models
from scp.leases import Leases
from scp.node import metrics_folder
from scp.web.gpus import Gpu, parse
from scp.web.models import models_on_disk

DASHBOARD = Path(__file__).parents[3] / "deploy" / "grafana-dashboard.json"

COUNT_EVERYTHING = """
from inference.results import Assessment, ImageResult, Module, ModuleResult, ModuleStatus, Reason, Status, StudyResult
from scp import metrics, receiver_metrics
common = {"series_instance_uid": "1.3", "file": "", "rows": 1, "columns": 1, "sop_class_uid": "1.4"}
scored = [ModuleResult(module=module, status=ModuleStatus.SUCCEEDED, score=0.3) for module in Module]
analysed = ImageResult(sop_instance_uid="1.5", status=Status.ANALYSED, modules=tuple(scored), **common)
prior = Reason(code="prior", text="A prior.")
excluded = ImageResult(sop_instance_uid="1.6", status=Status.EXCLUDED, reason=prior, **common)
result = StudyResult(
    study_instance_uid="1.2",
    software_version="0",
    models=(),
    images=(analysed, excluded),
    breasts={},
    study=Assessment(grade=None),
)
metrics.count_result(result, {"1.5": "Phantom 3000"})
metrics.STAGE.labels("analyse").observe(1.5)
metrics.TURNAROUND.observe(40)
metrics.SENT.labels("archive").inc(3)
metrics.DELIVERIES.labels("archive", "delivered").inc()
receiver_metrics.INSTANCES.labels("stored").inc(4)
receiver_metrics.BYTES.inc(1000)
receiver_metrics.ASSOCIATIONS.labels("accepted").inc()
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory) -> Path:
    """What two processes have counted."""
    folder = tmp_path_factory.mktemp("metrics")
    for _ in range(2):
        command = [sys.executable, "-c", COUNT_EVERYTHING]
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": str(DASHBOARD.parents[1])}
        subprocess.run(command, check=True, env=environment)
    return folder


@pytest.fixture
def exposition(node, page, counted) -> str:
    """The metrics of a node of which two processes have counted."""
    shutil.copytree(counted, metrics_folder(node.settings))
    answer = page.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return answer.text


def test_metrics_of_all_processes_add_up(exposition) -> None:
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }
    assert values["mammonode_instances_received_total", (("outcome", "stored"),)] == 8
    assert values["mammonode_studies", (("state", "delivered"),)] == 1
    assert values["mammonode_studies", (("state", "failed"),)] == 0
    assert values["mammonode_delivery_queue", (("destination", "archive"),)] == 0
    scores = (("device_model", "Phantom 3000"), ("module", "nodule"))
    assert values["mammonode_score_count", scores] == 2
    assert values["mammonode_disk_size_bytes", ()] > values["mammonode_disk_free_bytes", ()] > 0


def test_metrics_are_well_formed(exposition) -> None:
    """What `promtool check metrics` finds fault with: no help, wrong suffixes, units not of base, doubles."""
    families = list(text_string_to_metric_families(exposition))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    for family in families:
        assert family.name.startswith("mammonode_"), family.name
        assert family.documentation.endswith("."), family.name
        assert not re.search("_(milliseconds|minutes|hours|kilobytes|percent)$", family.name)
        assert family.type == "counter" or not family.name.endswith(("_total", "_count", "_sum", "_bucket")), (
            family.name
        )
        series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(series) == len(set(series)), family.name
        if family.type == "counter":
            assert all(
                sample.name.endswith("_total") for sample in family.samples if sample.name != f"{family.name}_created"
            )
        if family.type == "histogram":
            assert any(sample.labels.get("le") == "+Inf" for sample in family.samples)


def test_the_dashboard_asks_for_what_there_is(exposition) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    families = list(text_string_to_metric_families(exposition))
    samples = {sample.name for family in families for sample in family.samples} | {family.name for family in families}
    labels = {label for family in families for sample in family.samples for label in sample.labels} | {
        "instance",
        "gpu",
    }
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"mammonode_\w+", query)}
    assert asked <= samples
    # every family is on the dashboard, but for the bytes received
    assert {family.name for family in families} - {"mammonode_bytes_received"} <= {
        re.sub("_(total|bucket|sum|count)$", "", name) for name in asked
    }
    for query in queries:
        assert query.count("(") == query.count(")")
        used = {name.strip() for group in re.findall(r"by \(([^)]*)\)", query) for name in group.split(",")}
        used |= set(re.findall(r"[{,]\s*(\w+)\s*[!=]", query))
        assert used <= labels, query
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert len({(place["x"], place["y"]) for place in places}) == len(places)


def test_liveness_and_readiness(page) -> None:
    assert page.get("/healthz").json() == {"status": "alive"}
    answer = page.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": {"journal": True, "disk": True}})


def test_not_ready_without_a_journal(node, page) -> None:
    node.journal.close()
    (node.settings.node.folder / "journal.db").write_bytes(b"not a database" * 100)
    answer = page.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["journal"]) == (503, False)


def test_node_health(node, page) -> None:
    Leases(node.journal.engine).take("node-1-0", "one")
    health = page.get("/api/node").json()
    assert health["name"] == "node-1"
    assert health["listener"] == "MAMMONODE on 0.0.0.0:11112"
    assert health["disk_ok"]
    assert health["workers"] == [{"name": "node-1-0", "alive": True}]
    assert health["studies"] == {"delivered": 1}
    (destination,) = health["destinations"]
    assert (destination["name"], destination["queue"], destination["delivered"]) == ("archive", 0, 1)
    html = page.get("/node").text
    assert "http://127.0.0.1:9/dicom-web" in html
    assert "mammonode 0.1.0" in html


def test_an_echo_is_remembered(page) -> None:
    said = page.post("/api/destinations/archive/echo").json()
    assert not said["ok"]
    assert said["text"]
    assert page.get("/api/node").json()["destinations"][0]["echo"] is not None
    assert page.post("/api/destinations/other/echo").status_code == 404


def test_gpus_of_nvidia_smi() -> None:
    answer = "NVIDIA H100, 1024, 81559, 37\nNVIDIA A2, [N/A], 15356, 0\n"
    assert parse(answer) == (Gpu("NVIDIA H100", 1024 << 20, 81559 << 20, 0.37),)


def test_damaged_models_are_left_out(tmp_path) -> None:
    (tmp_path / "nodule.safetensors").write_bytes(b"damaged")
    assert models_on_disk(Analysis(weights=tmp_path)) == ()
    assert len(models()) == 2
