"""Where a training stands, on disk: what a `kill -9` leaves behind and the next run goes on from."""

import hashlib
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from inference.atomic_file import write_atomically
from training.errors import TrainingError
from training.plan import Plan


def save_checkpoint(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, step: int, tag: str) -> None:
    """Write network, optimiser and step atomically, in one safetensors file."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, safetensors.torch.save(kept, {"step": str(step), "tag": tag}))


def load_checkpoint(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, tag: str) -> int:
    """Put a checkpoint back; returns the steps already done, 0 where there is no file.

    Raises TrainingError: it belongs to another plan or other data.
    """
    if not path.is_file():
        return 0
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    if metadata["tag"] != tag:
        raise TrainingError(
            f"{path} belongs to a training with other data or settings. Name another --output, or delete it."
        )
    prefix = "network."
    network.load_state_dict({name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)})
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = tensor
    whole = optimiser.state_dict()
    whole["state"] = state
    optimiser.load_state_dict(whole)
    return int(metadata["step"])


def training_tag(plan: Plan, *facts: object) -> str:
    """Digest of everything that a resumed training must agree in."""
    text = plan.model_dump_json() + "".join(repr(fact) for fact in facts)
    return hashlib.sha256(text.encode()).hexdigest()
