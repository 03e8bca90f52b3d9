"""The training loop, on one device or several (torchrun), top to bottom."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from training.checkpoint import load_checkpoint, save_checkpoint
from training.model import TrainedNetwork
from training.plan import Plan
from training.runtime import Runtime

Report = Callable[[int, int, float, float], None]
"""Called after each step with step, steps, loss and the AUC of the last windows (NaN until both classes came)."""

RECENT = 4096
CHECKPOINT_EVERY = 100


class Task(Protocol):
    """What is learned from: the same step of the same epoch gives the same loss, whatever came before."""

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch."""

    def step_loss(self, network: TrainedNetwork, step: int, runtime: Runtime) -> tuple[Tensor, Tensor, Tensor]:
        """Loss (scalar), malignant-against-control logit (k,) and target (k,) of some windows of this step."""


@dataclass
class Recent:
    """Scores of the last windows trained on, for the AUC beside the progress bar."""

    scores: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    targets: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))

    def add(self, scores: Tensor, targets: Tensor) -> None:
        """Remember those of a step."""
        self.scores.extend(scores.detach().float().cpu().tolist())
        self.targets.extend(targets.cpu().tolist())

    @property
    def auc(self) -> float:
        """NaN until both classes came."""
        if len(set(self.targets)) < 2:
            return math.nan
        return float(roc_auc_score(np.array(self.targets), np.array(self.scores)))


def train(
    network: TrainedNetwork,
    task: Task,
    runtime: Runtime,
    *,
    checkpoint: Path | None = None,
    tag: str = "",
    report: Report | None = None,
) -> None:
    """Train `network` in place; goes on from `checkpoint` where there is one.

    The same seed, data and device give the same weights, whether or not the training was interrupted. Raises
    TrainingError: the checkpoint belongs to another training.
    """
    plan = network.plan
    network.to(runtime.device).to(memory_format=torch.channels_last).train()
    optimiser = _optimiser([parameter for parameter in network.parameters() if parameter.requires_grad], plan)
    steps = plan.epochs * task.per_epoch
    done = load_checkpoint(checkpoint, network, optimiser, tag) if checkpoint else 0
    recent = Recent()
    for step in range(done, steps):
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(plan, step, steps)
        with runtime.autocast():
            loss, scores, targets = task.step_loss(network, step, runtime)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        runtime.average_gradients(network)
        optimiser.step()
        recent.add(scores, targets)
        at_rest = (step + 1) % CHECKPOINT_EVERY == 0 or (step + 1) % task.per_epoch == 0
        if checkpoint and runtime.rank == 0 and at_rest:
            save_checkpoint(checkpoint, network, optimiser, step + 1, tag)
        if report and runtime.rank == 0:
            report(step + 1, steps, float(loss.detach()), recent.auc if (step + 1) % 10 == 0 else math.nan)
    network.eval()


def _optimiser(learned: list[nn.Parameter], plan: Plan) -> torch.optim.Optimizer:
    """Paper: Adam; decoupled weight decay where a plan has any."""
    if plan.weight_decay:
        return torch.optim.AdamW(learned, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    return torch.optim.Adam(learned, lr=plan.learning_rate)


def _learning_rate(plan: Plan, step: int, steps: int) -> float:
    if plan.schedule == "constant":
        return plan.learning_rate
    warm = min(1.0, (step + 1) / max(1, min(100, steps // 10)))
    return plan.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
