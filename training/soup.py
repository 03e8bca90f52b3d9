"""Weights averaged over several trainings from one start ('model soups', Wortsman et al. 2022): one network to run,
and less of what each training learned by chance."""

from collections.abc import Sequence

import torch

from training.model import TrainedNetwork
from training.plan import Plan


def members(plan: Plan) -> tuple[Plan, ...]:
    """The plan of each training whose weights are averaged; only one where the plan names no others."""
    alone = plan.model_copy(update={"averaged_with": ()})
    others = (
        alone.model_copy(update={"variants": other.variants, "epochs": other.epochs}) for other in plan.averaged_with
    )
    return (alone, *others)


def averaged(networks: Sequence[TrainedNetwork]) -> TrainedNetwork:
    """The first network, with the mean of all weights. Whole numbers (steps counted by batch norms) stay its own."""
    first, *_ = networks
    states = [network.state_dict() for network in networks]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if tensor.is_floating_point() else tensor
        for name, tensor in states[0].items()
    }
    first.load_state_dict(mean)
    return first
