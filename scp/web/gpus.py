"""What the machine's NVIDIA GPUs are doing, as nvidia-smi says; the page's process never loads CUDA."""

import shutil
import subprocess
import time
from dataclasses import dataclass

QUERY = "--query-gpu=name,memory.used,memory.total,utilization.gpu"
REMEMBERED = 10.0
MIB = 1 << 20


@dataclass(frozen=True)
class Gpu:
    """One GPU; memory in bytes, utilisation 0 to 1."""

    name: str
    memory_used: int
    memory_total: int
    utilisation: float


class Gpus:
    """Asks at most every REMEMBERED seconds."""

    def __init__(self) -> None:
        self._seen: tuple[Gpu, ...] = ()
        self._at = float("-inf")

    def now(self) -> tuple[Gpu, ...]:
        """The GPUs, none where nvidia-smi is missing or does not answer."""
        if time.monotonic() - self._at > REMEMBERED:
            self._seen, self._at = _ask(), time.monotonic()
        return self._seen


def _ask() -> tuple[Gpu, ...]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    arguments = [command, QUERY, "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(arguments, capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse(answer)


def parse(answer: str) -> tuple[Gpu, ...]:
    """GPUs from nvidia-smi's CSV; a line with a value it cannot tell ('[N/A]') is left out."""
    gpus = []
    for line in answer.splitlines():
        name, *numbers = (part.strip() for part in line.split(","))
        if len(numbers) == 3 and all(number.isdigit() for number in numbers):
            used, total, busy = map(int, numbers)
            gpus.append(Gpu(name, used * MIB, total * MIB, busy / 100))
    return tuple(gpus)
