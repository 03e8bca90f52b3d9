"""What one step learns from: a batch of windows, or of parts of images with all the windows in them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.augment import augmented
from training.cells import CELL, turned
from training.crops import draw_crop
from training.draws import dataset_shares, draw_balanced, passes
from training.labels import Label
from training.maps import TrunkMap
from training.model import TrainedNetwork
from training.plan import Plan
from training.runtime import Runtime
from training.samples import PatchSource

Indices = NDArray[np.int64]


class WindowTask:
    """Batches of windows from patches on the device; `among` are the samples that may be drawn."""

    def __init__(self, source: PatchSource, among: Indices, plan: Plan) -> None:
        self._source, self._among, self._plan = source, among, plan
        self._targets = np.array([int(sample.label is Label.CASE) for sample in source.samples])
        self._cells = {
            (case, dataset, simulated): members
            for case in (True, False)
            for dataset in {sample.dataset for sample in source.samples}
            for simulated in (True, False)
            if len(members := self._members(case, dataset, simulated))
        }
        self.per_epoch = max(1, -(-len(among) // plan.batch))

    def step_loss(self, network: TrainedNetwork, step: int, runtime: Runtime) -> tuple[Tensor, Tensor, Tensor]:
        """See loop.Task."""
        batch = self._batch(step)
        # the last batch of a pass is short: every process gets as many, or their mean would not be that of all
        chosen = np.resize(batch, -(-len(batch) // runtime.ranks) * runtime.ranks)[runtime.rank :: runtime.ranks]
        device = self._source.patches.device
        seed = (self._plan.seed * 1_000_003 + step) * 1_009 + runtime.rank
        generator = torch.Generator(device).manual_seed(seed)
        index = torch.from_numpy(chosen).to(device)
        grey = augmented(self._source.patches[index], self._source.reach[index], self._plan, generator)
        targets = torch.from_numpy(self._targets[chosen]).to(device)
        logits = network(grey).float()
        return _loss(logits, targets, self._plan), logits[:, 1] - logits[:, 0], targets

    def _batch(self, step: int) -> Indices:
        if not self._plan.balanced:
            return passes(self._among, self._plan.batch, step, self._plan.seed)
        random = np.random.default_rng((self._plan.seed, 7919, step))
        half = self._plan.batch // 2
        wanted = [True] * half + [False] * (self._plan.batch - half)
        return np.array([draw_balanced(self._cells, case, self._plan.simulated_share, random) for case in wanted])

    def _members(self, case: bool, dataset: str, simulated: bool) -> Indices:
        return np.array(
            [
                index
                for index in self._among
                if bool(self._targets[index]) is case
                and self._source.samples[index].dataset == dataset
                and self._source.samples[index].simulated is simulated
            ],
            np.int64,
        )


class MapTask:
    """Batches of crops of images: every window in them counts, the hardest controls the most."""

    def __init__(self, maps: tuple[TrunkMap, ...], among: Indices, plan: Plan) -> None:
        self._maps, self._plan = maps, plan
        self._window = plan.recipe.network.input_size // CELL
        with_cases = np.array([bool((maps[index].labels == 1).any()) for index in among])
        self._cells: dict[tuple[bool, str], Indices] = {}
        for case in (True, False):
            for dataset in {maps[index].dataset for index in among}:
                own = [
                    i for i, has in zip(among, with_cases, strict=True) if has == case and maps[i].dataset == dataset
                ]
                if own:
                    self._cells[case, dataset] = np.array(own, np.int64)
        self._shares = dataset_shares({d: len(cell) for (case, d), cell in self._cells.items() if case})
        self.per_epoch = max(1, -(-len(among) // plan.batch))

    def step_loss(self, network: TrainedNetwork, step: int, runtime: Runtime) -> tuple[Tensor, Tensor, Tensor]:
        """See loop.Task."""
        random = np.random.default_rng((self._plan.seed, 7919, step))
        chosen = [self._draw(place % 2 == 0, random) for place in range(self._plan.batch)]
        drawn = [self._crop(index, random) for index in chosen][runtime.rank :: runtime.ranks]
        features = torch.from_numpy(np.stack([features for features, _ in drawn])).to(runtime.device)
        targets = torch.from_numpy(np.stack([labels for _, labels in drawn])).to(runtime.device).flatten().long()
        logits = network.window_logits(features.permute(0, 3, 1, 2))  # channels last
        flat = logits.permute(0, 2, 3, 1).reshape(-1, 2).float()[targets >= 0]
        targets = targets[targets >= 0]
        return _loss(flat, targets, self._plan), flat[:, 1] - flat[:, 0], targets

    def _crop(self, index: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        cells, labels = draw_crop(self._maps[index], self._window, random)
        return turned(cells, labels, random) if self._plan.trunk == "upper" else (cells, labels)

    def _draw(self, case: bool, random: np.random.Generator) -> int:
        names, shares = self._shares
        dataset = names[random.choice(len(names), p=shares)]
        cell = self._cells.get((case, dataset))
        if cell is None:
            cell = next(own for (kind, _), own in self._cells.items() if kind is case or len(self._cells) == 1)
        return int(cell[random.integers(len(cell))])


def _loss(logits: Tensor, targets: Tensor, plan: Plan) -> Tensor:
    """Softmax cross-entropy; where a plan says so, the hardest controls count more."""
    losses = functional.cross_entropy(logits, targets, reduction="none")
    if not plan.balanced:
        return losses.mean()
    parts = [losses[targets == 1].mean()] if bool((targets == 1).any()) else []
    if bool((targets == 0).any()):
        parts.append(_with_hardest(losses[targets == 0], plan.hardest))
    return torch.stack(parts).mean() if parts else losses.sum()  # no window may be learned from


def _with_hardest(losses: Tensor, share: float) -> Tensor:
    """Mean of all, half and half with the mean of the hardest `share`."""
    if share == 1:
        return losses.mean()
    hardest = losses.topk(max(1, round(len(losses) * share))).values
    return (losses.mean() + hardest.mean()) / 2
