"""Small trunk maps with something to learn, for trainings that take seconds."""

import signal
import sys
from os import environ, getpid, kill
from pathlib import Path

import numpy as np
import torch

from inference.results import Module
from training.loop import Report, train
from training.maps import TrunkMap
from training.model import TrainedNetwork
from training.plan import Plan, default_plan
from training.runtime import Runtime, start_runtime
from training.tasks import MapTask

PLAN = default_plan(Module.NODULE, "frozen", 5).model_copy(update={"batch": 2, "epochs": 4})


def trunk_maps(count: int = 4) -> tuple[TrunkMap, ...]:
    """Every second one has a case in its middle."""
    random = np.random.default_rng(1)
    maps = []
    for number in range(count):
        features = random.random((14, 14, 1024)).astype(np.float16)
        labels = np.zeros((5, 5), np.int8)
        if number % 2:
            labels[2, 2] = labels[2, 3] = labels[3, 2] = labels[3, 3] = 1
            features[4:10, 4:10, :64] += 2
        maps.append(TrunkMap(features, labels, f"set:P{number}", "set"))
    return tuple(maps)


def train_small(checkpoint: Path | None, report: Report | None = None, plan: Plan = PLAN) -> dict[str, torch.Tensor]:
    """Train on the small maps from random start weights; returns the state."""
    torch.set_num_threads(1)
    network = TrainedNetwork(plan, None)
    task = MapTask(trunk_maps(), np.arange(4), plan)
    train(network, task, Runtime(torch.device("cpu")), checkpoint=checkpoint, tag="small", report=report)
    return network.state_dict()


def die_at(step: int) -> Report:
    """A report that ends the process as `kill -9` does."""

    def report(done: int, steps: int, loss: float, auc: float) -> None:
        del steps, loss, auc
        if done == step:
            kill(getpid(), signal.SIGKILL)

    return report


def train_together(folder: Path) -> None:
    """One of several processes that torchrun started: writes its own state to `folder`."""
    runtime = start_runtime("cpu", 1)
    network = TrainedNetwork(PLAN, None)
    train(network, MapTask(trunk_maps(), np.arange(4), PLAN), runtime)
    torch.save(network.state_dict(), folder / f"{runtime.rank}.pt")


if __name__ == "__main__":
    if "WORLD_SIZE" in environ:
        train_together(Path(sys.argv[1]))
    else:
        train_small(Path(sys.argv[1]), die_at(int(sys.argv[2])))
