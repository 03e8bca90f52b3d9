"""On what a training runs: device, processes, precision."""

import ctypes
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from inference.device import choose_device, use_threads

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""glibc mallopt(3)."""


@dataclass(frozen=True)
class Runtime:
    """`rank` of `ranks` processes, each with its own device."""

    device: torch.device
    rank: int = 0
    ranks: int = 1

    def autocast(self) -> AbstractContextManager[object]:
        """bfloat16 on CUDA; the CPU stays at float32."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()

    def average_gradients(self, network: nn.Module) -> None:
        """The mean over all processes, so that several devices make one batch."""
        if self.ranks == 1:
            return
        for parameter in network.parameters():
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.ranks


def start_runtime(device: str, threads: int) -> Runtime:
    """Choose the device, and join the other processes where torchrun started several.

    Raises DeviceError: the device is missing.
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = choose_device(
        f"cuda:{local}" if ranks > 1 and device == "auto" and torch.cuda.is_available() else device
    )
    if chosen.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
        torch.cuda.set_device(chosen)
    else:
        use_threads(threads)
        keep_freed_memory()
    if ranks > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    return Runtime(chosen, rank, ranks)


def keep_freed_memory() -> None:
    """Have glibc keep what is freed: feature maps that are mapped and unmapped each time cost half the CPU time."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    except (OSError, AttributeError):  # another libc: only slower
        return
