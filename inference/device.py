"""Which processor runs the networks, and how many threads it may take."""

import os
from pathlib import Path

import cv2
import torch
from threadpoolctl import threadpool_limits

from inference.errors import DeviceError
from inference.results import Reason


def choose_device(setting: str) -> torch.device:
    """`auto` (CUDA if there is one, else CPU), `cpu`, `cuda` or `cuda:N`.

    Raises DeviceError: CUDA is asked for and missing, or has no such number.
    """
    if setting == "cpu" or (setting == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    device = torch.device("cuda" if setting == "auto" else setting)
    if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            Reason(
                code="device-missing",
                text=f"There is no device {setting}: {torch.cuda.device_count()} CUDA devices are visible.",
                remedy="Set analysis.device to auto or cpu, or install the driver and a CUDA build of PyTorch.",
            )
        )
    return device


def use_threads(threads: int) -> int:
    """Let PyTorch, OpenCV and NumPy use `threads` threads, 0 for every core of this process; returns the number."""
    chosen = threads or usable_cores()
    torch.set_num_threads(chosen)
    cv2.setNumThreads(chosen)
    threadpool_limits(chosen, user_api="blas")
    return chosen


def usable_cores(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores of the affinity mask, or fewer where a container has a quota (cgroup v2, `quota period` in us)."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text().split()
    except (OSError, ValueError):  # no cgroup v2 here, so no quota either
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))
