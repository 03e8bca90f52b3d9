"""From annotated images to a weights file: the way of the data, top to bottom."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inference.network import StartWeights
from inference.results import Module
from inference.weights_file import TrainedModule, WeightsHeader, save_weights
from training.annotations import AnnotatedImage, lesions_digest
from training.checkpoint import training_tag
from training.contents import content_digest
from training.errors import TooFewError
from training.evaluate import examine, module_figures
from training.leaks import check_images, check_split
from training.loop import Report, Task, train
from training.maps import TrunkMap, build_maps
from training.model import TrainedNetwork
from training.plan import Plan
from training.records import Record, healthy_scores, unscored
from training.runtime import Runtime
from training.samples import PatchSource, build_patches
from training.soup import averaged, members
from training.split import assign_folds, patient_key, split_fold
from training.tasks import MapTask, WindowTask
from training.thresholds import calibration_from, population_of, thresholds_from


class Progress(Protocol):
    """How a training tells where it stands."""

    def stage(self, name: str) -> Callable[[int, int], None]:
        """Begin a stage; the returned function takes what is done and how much there is."""

    def training(self, name: str) -> Report:
        """Begin a training; see loop.Report."""


@dataclass(frozen=True)
class Fitted:
    """What a fit gave; only the first of several processes writes the file and knows its digest."""

    weights: Path
    sha256: str
    figures: dict[str, Any]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    """Everything that is learned from: patches for a network that is trained whole, else whole images as maps."""

    images: tuple[AnnotatedImage, ...]
    patches: PatchSource | None
    maps: tuple[TrunkMap, ...]
    skipped: tuple[str, ...]

    def task(self, plan: Plan, patients: frozenset[str]) -> Task:
        """Learn from these patients only."""
        if self.patches is not None:
            return WindowTask(self.patches, _indices([s.patient for s in self.patches.samples], patients), plan)
        among = [
            index
            for index, trunk_map in enumerate(self.maps)
            if trunk_map.patient in patients and trunk_map.variant < plan.variants
        ]
        return MapTask(self.maps, np.array(among, np.int64), plan)


def fit(
    images: Sequence[AnnotatedImage],
    plan: Plan,
    start: StartWeights,
    output: Path,
    runtime: Runtime,
    *,
    folds: int,
    progress: Progress,
    provenance: Mapping[str, Any],
) -> Fitted:
    """Train out of fold for thresholds and calibration, then on everything, and write `<module>.safetensors`.

    Raises TooFewError: too few patients of a class; LeakError: one picture under two patients; TrainingError: the
    folder holds the checkpoint of another training.
    """
    output.mkdir(parents=True, exist_ok=True)
    module = plan.recipe.module
    assigned = assign_folds(images, module, folds, plan.seed)
    check_learnable(images, module, assigned)
    fingerprints = check_images(images, progress.stage("leak check"))
    for fold in range(folds):
        check_split(split_fold(images, assigned, fold), fingerprints)
    data = _collect(images, plan, start, output, runtime, progress)
    records: list[Record] = []
    for fold in range(folds):
        inside = frozenset(patient for patient, own in assigned.items() if own != fold)
        network = _trained(f"fold-{fold + 1}", data, inside, plan, start, output, runtime, progress)
        outside = frozenset(assigned) - inside
        records += _records(network, data, outside, runtime, progress.stage(f"fold {fold + 1}: scores"))
    final = _trained("final", data, frozenset(assigned), plan, start, output, runtime, progress)
    header = header_from(records, plan, {**provenance, "folds": folds, "seed": plan.seed})
    path = output / f"{module.value}.safetensors"
    sha256 = ""
    if runtime.rank == 0:
        sha256 = save_weights(path, plain_state(final), header)
        (output / f"{module.value}.json").write_text(json.dumps(header.figures, indent=2), encoding="utf-8")
    return Fitted(path, sha256, header.figures, data.skipped)


def check_learnable(images: Sequence[AnnotatedImage], module: Module, assigned: Mapping[str, int]) -> None:
    """What would end a fit after hours ends it at once.

    Raises TooFewError: too few healthy or malignant patients for thresholds, or a part without a located lesion.
    """
    try:
        healthy_scores([unscored(image, module) for image in images]).check("Thresholds")
    except TooFewError as error:
        raise TooFewError(
            f"{error} They compare malignant images with healthy ones of the same data set: add images on which "
            "nothing was found."
        ) from error
    located = {patient_key(image) for image in images if image.located(module, "malignant")}
    for fold in set(assigned.values()):
        if not any(assigned[patient] != fold for patient in located):
            raise TooFewError(
                f"Only {len(located)} patient(s) have a malignant {module.value} whose place is known: every part "
                "must leave one to learn from. Add located lesions, or name another --seed."
            )


def plain_state(network: TrainedNetwork) -> dict[str, Tensor]:
    """The network's tensors in ordinary memory order: channels-last leaves strides that a file cannot keep."""
    return {
        name: tensor.detach().cpu().flatten().clone().view(tensor.shape)
        for name, tensor in network.resnet.state_dict().items()
    }


def header_from(records: Sequence[Record], plan: Plan, provenance: Mapping[str, Any]) -> WeightsHeader:
    """Thresholds, calibration and figures from out-of-fold records. Raises TooFewError: too few patients."""
    scores = healthy_scores(records)
    thresholds = thresholds_from(scores)
    calibration = calibration_from(scores, f"out of fold: {population_of(scores)}")
    figures = module_figures(records, thresholds.points, calibration)
    figures["empty_grades"] = list(thresholds.empty)
    figures["thin_evidence"] = thresholds.thin
    figures["what"] = "out of fold, by patient; thresholds and calibration come from the same scores"
    return WeightsHeader(
        name=f"mammonode {plan.recipe.module.value}",
        version=version("mammonode"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=plan.recipe,
        thresholds=thresholds.points,
        calibration=calibration,
        provenance={**provenance, "plan": plan.model_dump(mode="json", exclude={"recipe"})},
        figures=figures,
    )


def _collect(
    images: Sequence[AnnotatedImage],
    plan: Plan,
    start: StartWeights,
    output: Path,
    runtime: Runtime,
    progress: Progress,
) -> Data:
    advance = progress.stage("images")
    if plan.trunk != "full":
        maps, skipped = build_maps(images, TrainedNetwork(plan, start), output / "maps", advance)
        return Data(tuple(images), None, maps, skipped)
    patches = build_patches(images, plan, runtime.device, advance)
    return Data(tuple(images), patches, (), patches.skipped)


def _trained(
    name: str,
    data: Data,
    patients: frozenset[str],
    plan: Plan,
    start: StartWeights,
    output: Path,
    runtime: Runtime,
    progress: Progress,
) -> TrainedNetwork:
    """The mean of the trainings that the plan has, each with a checkpoint of its own."""
    networks = []
    for number, member in enumerate(members(plan)):
        network = TrainedNetwork(member, start)
        files = [content_digest(image.path) for image in data.images]
        begun = content_digest(start) if isinstance(start, Path) else str(start)
        tag = training_tag(member, sorted(patients), files, lesions_digest(data.images), begun)
        own = f"{name}-{number + 1}" if number else name
        checkpoint = output / f"{plan.recipe.module.value}-{own}.checkpoint"
        task = data.task(member, patients)
        train(network, task, runtime, checkpoint=checkpoint, tag=tag, report=progress.training(own))
        networks.append(network)
    return averaged(networks)


def _records(
    network: TrainedNetwork,
    data: Data,
    patients: frozenset[str],
    runtime: Runtime,
    advance: Callable[[int, int], None],
) -> list[Record]:
    """Scan the images of patients that were not trained on, as the node does."""
    images = [image for image in data.images if patient_key(image) in patients]
    trained = TrainedModule(_bare_header(network.plan), network.resnet.float().eval().cpu(), "")
    records, _ = examine(trained, images, runtime.device, lambda done: advance(done, len(images)))
    network.to(runtime.device)
    return records


def _bare_header(plan: Plan) -> WeightsHeader:
    return WeightsHeader(name="out of fold", version="0", created="", recipe=plan.recipe)


def _indices(patients: Sequence[str], wanted: frozenset[str]) -> NDArray[np.int64]:
    return np.array([index for index, patient in enumerate(patients) if patient in wanted], np.int64)
