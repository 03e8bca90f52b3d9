"""A whole training on 20 small images, and one that is killed on the way."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from inference.network import build_network
from inference.results import Module
from inference.site_calibration import load_site_calibration
from inference.weights_file import load_weights
from phantoms.trunk_maps import PLAN, train_small, trunk_maps
from phantoms.weights import write_weights
from training.annotations import read_annotations
from training.augment import input_side
from training.cli import app
from training.draws import dataset_shares
from training.errors import TrainingError
from training.loop import Recent, train
from training.model import TrainedNetwork
from training.plan import default_plan, paper_plan
from training.runtime import Runtime
from training.samples import build_patches
from training.tasks import MapTask, WindowTask

ROOT = Path(__file__).parents[2]
RUNNER = CliRunner()
CPU = ["--device", "cpu", "--threads", "2", "--json"]


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.timeout(600)  # trains three times: slow where other programs want the cores too
def test_fit_on_20_small_images(nodule_data: Path, tmp_path: Path) -> None:
    output = tmp_path / "trained"
    arguments = ["--module", "nodule", "--start", "none", "--epochs", "1", "--batch", "4", "--folds", "2"]
    fitted = RUNNER.invoke(app, ["fit", *arguments, "--output", str(output), "--data", str(nodule_data), *CPU])
    assert fitted.exit_code == 0, fitted.output
    result = json.loads(fitted.stdout)
    weights = output / "nodule.safetensors"
    trained = load_weights(weights)
    assert result["sha256"] == trained.sha256
    assert [point.grade for point in trained.header.thresholds] == [6, 5, 4, 3]
    assert trained.header.calibration is not None
    assert trained.header.calibration.prevalence == 0.5
    assert trained.header.provenance["data"] == {"films": 20}
    assert (result["figures"]["image"]["cases"], result["figures"]["image"]["controls"]) == (10, 10)
    assert list((output / "logs" / "final").glob("events*"))


def test_evaluate_writes_json_and_a_report(few_nodules: Path, tmp_path: Path) -> None:
    weights, report = write_weights(tmp_path / "weights") / "nodule.safetensors", tmp_path / "report"
    evaluated = RUNNER.invoke(
        app, ["evaluate", "--weights", str(weights), "--output", str(report), "--data", str(few_nodules), *CPU]
    )
    assert evaluated.exit_code == 0, evaluated.output
    figures = json.loads(evaluated.stdout)
    assert figures["microcalcification"] is None
    nodule = figures["nodule"]
    assert (nodule["image"]["cases"], nodule["image"]["controls"]) == (4, 4)
    assert nodule["image_malignant_vs_benign"] is None
    assert nodule["brier"] is None  # these weights carry no calibration
    assert [row["grade"] for row in nodule["table"]] == [6, 5, 4, 3]
    assert (report / "nodule.png").stat().st_size > 10_000
    assert json.loads((report / "evaluation.json").read_text()) == figures
    assert (
        "| Images: malignant against benign lesion (harder) | too few patients" in (report / "report.md").read_text()
    )
    assert "<table>" in (report / "report.html").read_text()


def test_calibrate_writes_a_file_that_the_node_reads(few_nodules: Path, tmp_path: Path) -> None:
    weights, site = write_weights(tmp_path / "weights") / "nodule.safetensors", tmp_path / "site.json"
    calibrated = RUNNER.invoke(
        app, ["calibrate", "--weights", str(weights), "--output", str(site), "--data", str(few_nodules), *CPU]
    )
    assert calibrated.exit_code == 0, calibrated.output
    part = load_site_calibration(site).of(Module.NODULE, load_weights(weights).sha256)
    assert part is not None
    assert part.calibration.population == "films (8 images)"
    assert json.loads(calibrated.stdout)["sha256"] == load_site_calibration(site).sha256


def test_one_class_and_bad_data_fail_in_words_with_exit_code_1(nodule_data: Path, tmp_path: Path) -> None:
    arguments = ["--output", str(tmp_path / "out"), "--start", "none", "--device", "cpu"]
    none_of_it = ["fit", "--module", "microcalcification", "--data", str(nodule_data), *arguments]
    result = RUNNER.invoke(app, none_of_it)
    assert result.exit_code == 1
    assert "0 patients have a malignant microcalcification" in " ".join(result.output.split())
    result = RUNNER.invoke(app, ["fit", "--module", "nodule", "--data", str(tmp_path / "gone"), *arguments])
    assert result.exit_code == 1
    assert "There is no" in result.output


@pytest.mark.parametrize("command", ["fit", "evaluate", "calibrate"])
def test_help_teaches_with_an_example(command: str) -> None:
    result = RUNNER.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Example: mammonode-train" in " ".join(result.output.split())


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    killed = subprocess.run(
        [sys.executable, str(ROOT / "tests/phantoms/trunk_maps.py"), str(checkpoint), "5"],
        env=environment,
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    steps: list[int] = []
    resumed = train_small(checkpoint, lambda step, *_: steps.append(step))
    assert steps == [5, 6, 7, 8]  # the last checkpoint stood at step 4
    assert equal(resumed, train_small(None))


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    script = str(ROOT / "tests/phantoms/trunk_maps.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*torchrun, script, str(tmp_path)], env=environment, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert equal(first, second)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in first.values())


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    train_small(tmp_path / "checkpoint")
    network = TrainedNetwork(PLAN, None)
    with pytest.raises(TrainingError, match="another --output"):
        train(
            network,
            MapTask(trunk_maps(), np.arange(4), PLAN),
            Runtime(torch.device("cpu")),
            checkpoint=tmp_path / "checkpoint",
            tag="other",
        )


def test_a_frozen_trunk_stays_and_the_rest_learns() -> None:
    losses: list[float] = []
    plan = PLAN.model_copy(update={"epochs": 10, "schedule": "constant", "learning_rate": 1e-3})
    state = train_small(None, lambda step, steps, loss, auc: losses.append(loss), plan)
    start = TrainedNetwork(plan, None).resnet.state_dict()
    changed = {name for name in start if not torch.equal(state[f"resnet.{name}"], start[name])}
    assert {name.rsplit(".", 2)[0] for name in changed - {"fc.weight", "fc.bias"}} == {
        *plan.learned,
        "layer4.0.downsample",
    }
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])


def test_window_logits_of_a_map_are_those_of_the_window() -> None:
    plan = default_plan(Module.NODULE, "frozen", 1)
    network = TrainedNetwork(plan, None).eval()
    grey = torch.rand(1, 1, input_side(plan), input_side(plan), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        dense = network.window_logits(network.trunk_features(grey))  # (1, 2, 3, 3)
        alone = network(grey)
        whole = build_network(plan.recipe.network)
        whole.load_state_dict(network.resnet.state_dict())
    assert dense.shape == (1, 2, 3, 3)
    assert torch.allclose(dense[0, :, 1, 1], alone[0], atol=1e-4)


@pytest.mark.parametrize("make", [paper_plan, default_plan])
def test_a_step_of_the_whole_network_is_the_same_each_time(nodule_data: Path, make: object) -> None:
    torch.set_num_threads(1)
    assert callable(make)
    plan = make(Module.NODULE, "full", 1).model_copy(update={"batch": 4})
    source = build_patches(read_annotations([nodule_data]).images[:4], plan, torch.device("cpu"))
    task = WindowTask(source, np.arange(len(source.samples)), plan)
    runtime = Runtime(torch.device("cpu"))
    losses = []
    for _ in range(2):
        network = TrainedNetwork(plan, None).train()
        loss, scores, targets = task.step_loss(network, 0, runtime)
        loss.backward()
        losses.append(float(loss.detach()))
        assert network.resnet.get_parameter("conv1.weight").grad is not None
    assert losses[0] == losses[1]
    assert scores.shape == targets.shape == (4,)


def test_the_current_auc_waits_for_both_classes() -> None:
    recent = Recent()
    recent.add(torch.tensor([0.1, 0.2]), torch.tensor([0, 0]))
    assert np.isnan(recent.auc)
    recent.add(torch.tensor([0.3]), torch.tensor([1]))
    assert recent.auc == 1.0


def test_a_small_data_set_is_not_drowned() -> None:
    names, shares = dataset_shares({"small": 25, "large": 625})
    assert names == ["large", "small"]
    assert shares.tolist() == pytest.approx([5 / (5 + 5**0.5), 5**0.5 / (5 + 5**0.5)])
