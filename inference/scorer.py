"""One trained module on one device: windows in, scores and evidence out."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.acceleration import fastest_on_cpu
from inference.activation import ScoredWindows
from inference.cuda_network import CudaNetwork
from inference.errors import DeviceError
from inference.evidence import STRIDE, EvidenceNetwork
from inference.results import Reason
from inference.scoring import grey_batch
from inference.weights_file import TrainedModule
from inference.windows import Window

BATCHES = {"cpu": (8,), "cuda": (8, 32, 64, 128)}
"""Sizes that the network is run with; on CUDA smaller batches are filled up, so that no new size is ever tuned."""


class Scorer:
    """The folded network on its device. Not for several threads at once.

    CUDA runs in float16 (scores agree with the CPU's float32 to 1e-2), both in channels-last order.
    """

    def __init__(self, trained: TrainedModule, device: torch.device) -> None:
        self.header = trained.header
        self.recipe = trained.recipe
        self.identity = trained.identity
        self.device = device
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._sizes = BATCHES[device.type]
        network = EvidenceNetwork(trained.network, trained.recipe.network).eval()
        # mypy: torch's overloads lack this form, which its documentation has
        network.to(device=device, dtype=self._dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network: Callable[[Tensor], Tensor] = network

    def warm_up(self) -> None:
        """Choose and prepare the fastest way to run, so that the first patient does not wait for it.

        On CUDA every batch size is recorded, fewer where the device's memory does not suffice.
        """
        side = self.recipe.network.input_size
        if isinstance(self._network, EvidenceNetwork):
            # on the CPU nothing else holds the plain network then, and its memory is free again
            faster = self._recorded if self.device.type == "cuda" else self._chosen
            self._network = faster(self._network)
        self.score(torch.zeros((side, side), dtype=torch.uint8, device=self.device), [Window(0, 0, side)])

    def _chosen(self, plain: EvidenceNetwork) -> Callable[[Tensor], Tensor]:
        return fastest_on_cpu(plain, self.recipe)

    def _recorded(self, plain: EvidenceNetwork) -> CudaNetwork:
        while (network := self._recorded_unless_exhausted(plain)) is None:
            self._halve()
        return network

    def _recorded_unless_exhausted(self, plain: EvidenceNetwork) -> CudaNetwork | None:
        network = CudaNetwork(plain, self.device)
        try:
            network.record(self._sizes, self.recipe.network.input_size)
        except torch.OutOfMemoryError:
            return None
        return network

    def place(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | Tensor:
        """The image where this scorer reads it fastest: uploaded once for CUDA, as it is for the CPU."""
        return torch.from_numpy(pixels).to(self.device) if self.device.type == "cuda" else pixels

    def score(self, pixels: NDArray[np.uint8] | Tensor, windows: Sequence[Window]) -> ScoredWindows:
        """Score windows of a normalised image (rows, columns).

        Where the device runs out of memory the batch is halved, for good, and the work goes on.
        Raises DeviceError: a single window does not fit.
        """
        parts: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        start = 0
        while start < len(windows):
            chunk = windows[start : start + self._sizes[-1]]
            part = self._run_unless_exhausted(pixels, chunk)
            if part is None:
                self._halve()
                continue
            parts.append(part)
            start += len(chunk)
        places = self.recipe.network.input_size // STRIDE
        return ScoredWindows(
            windows=tuple(windows),
            scores=np.concatenate([np.zeros(0, np.float32), *(scores for scores, _ in parts)]),
            evidence=np.concatenate([np.zeros((0, places, places), np.float32), *(maps for _, maps in parts)]),
        )

    def evidence(self, grey: Tensor) -> list[Tensor]:
        """(n, 1, h, w) grey in 0..1 -> (n, h/32, w/32) float32 of each view that `recipe.flips` averages.

        Raises torch.OutOfMemoryError.
        """
        grey = grey.to(device=self.device, dtype=self._dtype).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            views = [self._network(grey)]
            if self.recipe.flips == 2:
                views.append(self._network(grey.flip(-1)).flip(-1))
        return views

    def _run_unless_exhausted(
        self, pixels: NDArray[np.uint8] | Tensor, windows: Sequence[Window]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Scores (n,) and evidence (n, c, c); None where the device's memory does not suffice."""
        count = len(windows)
        filled = next(size for size in self._sizes if size >= count) if self.device.type == "cuda" else count
        try:
            grey = functional.pad(grey_batch(pixels, windows, self.recipe), (0, 0, 0, 0, 0, 0, 0, filled - count))
            views = [view[:count] for view in self.evidence(grey)]
        except torch.OutOfMemoryError:
            return None
        scores = torch.stack([view.mean(dim=(1, 2)).sigmoid() for view in views]).mean(dim=0)
        return scores.cpu().numpy(), torch.stack(views).mean(dim=0).cpu().numpy()

    def _halve(self) -> None:
        largest = self._sizes[-1]
        if largest == 1:
            raise DeviceError(
                Reason(
                    code="device-memory",
                    text=f"{self.device} has too little free memory to score a single window.",
                    remedy="Stop other programs on the device, or set analysis.device to cpu.",
                )
            )
        torch.cuda.empty_cache()
        kept = [size for size in self._sizes if size <= largest // 2]
        self._sizes = tuple(kept) if largest // 2 in kept else (*kept, largest // 2)
