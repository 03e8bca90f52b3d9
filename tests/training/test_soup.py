"""Weights averaged over trainings from one start."""

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from rich.console import Console

from inference.results import Module
from phantoms.trunk_maps import PLAN, trunk_maps
from training.fit import Data, _trained
from training.loop import CHECKPOINT_EVERY
from training.model import TrainedNetwork
from training.plan import Schedule, default_plan
from training.progress import BarProgress
from training.runtime import Runtime
from training.soup import averaged, members

TWO = PLAN.model_copy(update={"variants": 2, "epochs": 1, "averaged_with": (Schedule(variants=1, epochs=3),)})


def test_the_default_without_a_gpu_is_two_trainings_and_a_schedule_that_is_asked_for_is_one() -> None:
    plan = default_plan(Module.NODULE, "frozen", 1)
    assert [(one.variants, one.epochs, one.averaged_with) for one in members(plan)] == [(3, 2, ()), (1, 3, ())]
    assert members(plan.asked(batch=8, epochs=None))[1].batch == 8
    assert [one.epochs for one in members(plan.asked(epochs=1))] == [1]
    assert [one.variants for one in members(plan.asked(variants=2))] == [2]


def test_the_mean_of_two_networks() -> None:
    first, second = TrainedNetwork(PLAN, None), TrainedNetwork(PLAN, None)
    with torch.no_grad():
        first.resnet.fc.weight.fill_(1.0)
        second.resnet.fc.weight.fill_(2.0)
    first.resnet.bn1.num_batches_tracked.fill_(7)
    mean = averaged([first, second])
    assert mean.resnet.fc.weight.unique().tolist() == [1.5]
    assert torch.equal(mean.resnet.conv1.weight, second.resnet.conv1.weight)
    assert int(mean.resnet.bn1.num_batches_tracked) == 7


@pytest.mark.timeout(300)  # trains three times
def test_each_training_takes_its_own_versions_and_the_mean_of_their_weights_is_what_is_used(tmp_path: Path) -> None:
    maps = trunk_maps()
    versions = tuple(replace(one, variant=variant) for one in maps for variant in range(2))
    data = Data((), None, versions, ())
    first, second = members(TWO)
    patients = frozenset(one.patient for one in maps)
    assert (data.task(first, patients).per_epoch, data.task(second, patients).per_epoch) == (4, 2)

    def train() -> dict[str, torch.Tensor]:
        with BarProgress(Console(quiet=True), None) as progress:
            made = _trained("final", data, patients, TWO, None, tmp_path, Runtime(torch.device("cpu")), progress)
        return made.state_dict()

    torch.set_num_threads(1)
    mean = train()
    assert CHECKPOINT_EVERY > 4
    kept = [safetensors.torch.load_file(tmp_path / f"nodule-final{end}.checkpoint") for end in ("", "-2")]
    name = "resnet.fc.weight"
    both = [one[f"network.{name}"] for one in kept]
    assert not torch.equal(*both)
    assert torch.equal(mean[name], torch.stack(both).mean(dim=0))
    again = train()  # both checkpoints are at their end: nothing is trained
    assert all(torch.equal(again[key], mean[key]) for key in mean)
