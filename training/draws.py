"""Drawing samples so that no data set tells the label; worked out from seed and step alone."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Cells = Mapping[tuple[bool, str, bool], Indices]
"""Sample indices by (case, data set, simulated)."""


def dataset_shares(cases: Mapping[str, int]) -> tuple[list[str], NDArray[np.float64]]:
    """How often each data set is drawn, for cases and controls alike.

    By the fourth root of its cases, so that a small set is not drowned.
    """
    names = sorted(cases)
    roots = np.array([cases[name] for name in names]) ** 0.25
    return names, roots / roots.sum()


def draw_balanced(cells: Cells, case: bool, simulated_share: float, random: np.random.Generator) -> int:
    """One sample: data set first, then real or simulated, then which.

    A data set without that label is stood in for by the others.
    """
    counts: dict[str, int] = {}
    for (is_case, dataset, _), cell in cells.items():
        if is_case:
            counts[dataset] = counts.get(dataset, 0) + len(cell)
    names, shares = dataset_shares(counts)
    dataset = names[random.choice(len(names), p=shares)]
    simulated = bool(random.random() < simulated_share)
    for wanted in ((case, dataset, simulated), (case, dataset, not simulated)):
        if wanted in cells:
            return int(cells[wanted][random.integers(len(cells[wanted]))])
    cell = np.concatenate([own for (is_case, _, _), own in cells.items() if is_case is case])
    return int(cell[random.integers(len(cell))])


def passes(among: Indices, batch: int, step: int, seed: int) -> Indices:
    """The paper's way: whole passes over all samples in a random order."""
    per_epoch = max(1, -(-len(among) // batch))
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng((seed, 7919, epoch)).permutation(len(among))
    return among[order[place * batch : (place + 1) * batch]]
