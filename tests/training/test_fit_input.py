"""Fit, evaluation and calibration, given files of one name, files nobody can read, or too little data."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from inference.network import build_network
from inference.results import Module
from inference.site_calibration import load_site_calibration
from inference.weights_file import load_weights
from phantoms.weights import write_weights
from training.annotations import AnnotatedImage, Lesion, circle_outline, read_annotations
from training.cli import app
from training.contents import UNREADABLE, content_digest
from training.errors import TooFewError
from training.fit import check_learnable
from training.maps import TrunkMap, build_maps
from training.model import TrainedNetwork
from training.plan import Trunk, default_plan, paper_plan
from training.runtime import Runtime
from training.samples import build_patches
from training.tasks import WindowTask

RUNNER = CliRunner()
CPU = ["--device", "cpu", "--threads", "2", "--json"]


def films(folder: Path, write_picture: Callable[..., Path], name: str = "L_MLO.png") -> list[AnnotatedImage]:
    """A patient with a malignant nodule and one without, each with a folder of its own and files of one name."""
    lesion = Lesion("mass", "malignant", circle_outline(100, 220, 22))
    images = []
    for number in range(2):
        path = write_picture(folder / f"P{number}" / name, number, columns=224)
        lesions = (lesion,) if number == 0 else ()
        images.append(AnnotatedImage(path, f"P{number}", "set", view="MLO", lesions=lesions))
    return images


def maps_of(images: list[AnnotatedImage], trunk: Trunk, start: Path | None, folder: Path) -> tuple[TrunkMap, ...]:
    plan = default_plan(Module.NODULE, trunk, 1).model_copy(update={"variants": 1})
    maps, skipped = build_maps(images, TrainedNetwork(plan, start), folder)
    assert skipped == ()
    return maps


def test_files_of_one_name_are_two_images(tmp_path: Path, write_picture: Callable[..., Path]) -> None:
    images = films(tmp_path, write_picture)
    first, second = maps_of(images, "upper", None, tmp_path / "maps")
    assert not np.array_equal(first.features, second.features)
    assert (bool((first.labels == 1).any()), bool((second.labels == 1).any())) == (True, False)


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path, write_picture: Callable[..., Path]) -> None:
    images = films(tmp_path, write_picture)
    before, _ = maps_of(images, "upper", None, tmp_path / "maps")
    held = np.array(before.features)
    write_picture(images[0].path, 7, columns=224)
    after, _ = maps_of(images, "upper", None, tmp_path / "maps")
    assert not np.array_equal(held, after.features)


def test_another_start_gives_other_maps_of_a_frozen_trunk(tmp_path: Path, write_picture: Callable[..., Path]) -> None:
    images, folder = films(tmp_path, write_picture), tmp_path / "maps"
    plan = default_plan(Module.NODULE, "frozen", 1)
    torch.manual_seed(99)
    other = {name: tensor.contiguous() for name, tensor in build_network(plan.recipe.network).state_dict().items()}
    save_file(other, tmp_path / "other.safetensors")
    first, _ = maps_of(images, "frozen", None, folder)
    again, _ = maps_of(images, "frozen", None, folder)
    second, _ = maps_of(images, "frozen", tmp_path / "other.safetensors", folder)
    assert np.array_equal(first.features, again.features)
    assert not np.array_equal(first.features, second.features)


def test_the_digest_of_a_file_nobody_can_read(tmp_path: Path) -> None:
    assert content_digest(tmp_path / "gone.png") == UNREADABLE


def known(number: int, *, malignant: bool, located: bool = True, benign: bool = False) -> AnnotatedImage:
    outline = circle_outline(100, 100, 20) if located else None
    kinds = ("malignant",) if malignant else ("benign",) if benign else ()
    lesions = tuple(Lesion("mass", kind, outline) for kind in kinds)  # type: ignore[arg-type]  # a literal each
    return AnnotatedImage(Path(f"{number}.png"), f"P{number}", "set", lesions=lesions)


def test_a_fit_that_cannot_end_does_not_begin() -> None:
    malignant = [known(number, malignant=True) for number in range(6)]
    benign = [known(10 + number, malignant=False, benign=True) for number in range(6)]
    healthy = [known(20 + number, malignant=False) for number in range(6)]
    folds = {f"set:P{number}": number % 2 for number in range(30)}
    check_learnable([*malignant, *healthy], Module.NODULE, folds)
    with pytest.raises(TooFewError, match="add images on which nothing was found"):
        check_learnable([*malignant, *benign], Module.NODULE, folds)
    unlocated = [malignant[0], *(known(number, malignant=True, located=False) for number in range(1, 6))]
    with pytest.raises(TooFewError, match="Only 1 patient"):
        check_learnable([*unlocated, *healthy], Module.NODULE, folds)


def cut_off(data: Path, *names: str) -> None:
    """The header stays, so that only who reads the pixels finds out."""
    for name in names:
        (data / name).write_bytes((data / name).read_bytes()[:64])


def test_images_that_cannot_be_read_are_named_and_not_counted(nodule_data: Path, tmp_path: Path) -> None:
    weights, site = write_weights(tmp_path / "weights") / "nodule.safetensors", tmp_path / "site.json"
    cut_off(nodule_data, "0.png", "1.png")
    arguments = ["--weights", str(weights), "--data", str(nodule_data), *CPU]
    calibrated = RUNNER.invoke(app, ["calibrate", *arguments, "--output", str(site)])
    assert calibrated.exit_code == 0, calibrated.output
    part = load_site_calibration(site).of(Module.NODULE, load_weights(weights).sha256)
    assert part is not None
    assert part.calibration.population == "films (18 images)"
    assert "Skipped 0.png" in calibrated.stderr
    assert "Skipped 1.png" in calibrated.stderr
    assert json.loads(calibrated.stdout)["file"] == str(site)


def test_two_networks_for_one_module_are_refused(few_nodules: Path, tmp_path: Path) -> None:
    weights = str(write_weights(tmp_path / "weights") / "nodule.safetensors")
    for command in ("evaluate", "calibrate"):
        told = RUNNER.invoke(
            app, [command, "--weights", weights, "--weights", weights, "--data", str(few_nodules), *CPU]
        )
        assert told.exit_code == 1
        assert "Several weights files are for nodule" in told.stderr
        assert told.stdout == ""


def test_an_output_that_cannot_be_made_is_told_before_the_scan(few_nodules: Path, tmp_path: Path) -> None:
    weights, place = str(write_weights(tmp_path / "weights") / "nodule.safetensors"), tmp_path / "file"
    place.write_text("")
    arguments = ["--weights", weights, "--data", str(few_nodules), *CPU]
    told = RUNNER.invoke(app, ["evaluate", *arguments, "--output", str(place / "report")])
    assert told.exit_code == 1
    assert "Name another --output" in " ".join(told.stderr.split())


def test_every_process_gets_as_many_windows_of_a_short_last_batch(nodule_data: Path) -> None:
    torch.set_num_threads(1)
    plan = paper_plan(Module.NODULE, "full", 1).model_copy(update={"batch": 4})
    source = build_patches(read_annotations([nodule_data]).images[:4], plan, torch.device("cpu"))
    task = WindowTask(source, np.arange(5), plan)  # a batch of four, and one of one
    for rank in range(2):
        runtime = replace(Runtime(torch.device("cpu")), rank=rank, ranks=2)
        loss, scores, _ = task.step_loss(TrainedNetwork(plan, None), 1, runtime)
        assert len(scores) == 1
        assert bool(torch.isfinite(loss))


def test_a_fit_without_healthy_images_says_so_at_once(nodule_data: Path, tmp_path: Path) -> None:
    manifest = nodule_data / "manifest.csv"
    rows = list(csv.DictReader(manifest.read_text().splitlines()))
    for row in rows:
        if row["pathology"] == "normal":
            row |= {"lesion_type": "mass", "pathology": "BENIGN", "x": "90", "y": "200", "radius": "22"}
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    output = tmp_path / "trained"
    arguments = ["fit", "--module", "nodule", "--start", "none", "--folds", "2", "--output", str(output), *CPU]
    told = RUNNER.invoke(app, [*arguments, "--data", str(nodule_data)])
    assert told.exit_code == 1
    assert "add images on which nothing was found" in " ".join(told.stderr.split())
    assert list(output.iterdir()) == []
