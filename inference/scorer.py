"""One trained module on one device: windows in, scores and evidence out."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.acceleration import Network, fastest_on_cpu
from inference.activation import ScoredWindows
from inference.errors import DeviceError
from inference.evidence import STRIDE, EvidenceNetwork
from inference.results import Reason
from inference.scoring import grey_batch
from inference.weights_file import TrainedModule
from inference.windows import Window

Pixels = NDArray[np.uint8] | Tensor

BATCHES = {"cpu": (8,), "cuda": (8, 32, 64, 128)}
"""Sizes that the network is run with; on CUDA smaller batches are filled up, so that no new size is ever tuned."""


class Scorer:
    """The folded network on its device. Not for several threads at once.

    CUDA runs in float16 (scores agree with the CPU's float32 to 1e-2), both in channels-last order.
    `reach` is the network's, in places.
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
        self.reach = network.reach
        network.to(device=device, dtype=self._dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network: Network = network

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

    def _chosen(self, plain: EvidenceNetwork) -> Network:
        return fastest_on_cpu(plain, self.recipe)

    def _recorded(self, plain: EvidenceNetwork) -> Network:
        while (network := self._recorded_unless_exhausted(plain)) is None:
            self._halve()
        return network

    def _recorded_unless_exhausted(self, plain: EvidenceNetwork) -> Network | None:
        from inference.cuda_network import CudaNetwork  # noqa: PLC0415 - the compiler's memory, for CUDA alone

        network = CudaNetwork(plain, self.device)
        try:
            network.record(self._sizes, self.recipe.network.input_size)
        except torch.OutOfMemoryError:
            return None
        return network

    def place(self, pixels: NDArray[np.uint8]) -> Pixels:
        """The image where this scorer reads it fastest: uploaded once for CUDA, as it is for the CPU."""
        return torch.from_numpy(pixels).to(self.device) if self.device.type == "cuda" else pixels

    def score(self, pixels: Pixels, windows: Sequence[Window]) -> ScoredWindows:
        """`score_images` of one image."""
        return self.score_images([(pixels, windows)])[0]

    def score_images(self, images: Sequence[tuple[Pixels, Sequence[Window]]]) -> list[ScoredWindows]:
        """Score windows of normalised images (rows, columns), those of several images in the same batches.

        Where the device runs out of memory the batch is halved, for good, and the work goes on.
        Raises DeviceError: a single window does not fit.
        """
        waiting = [(index, window) for index, (_, windows) in enumerate(images) for window in windows]
        places = self.recipe.network.input_size // STRIDE
        scores = [np.zeros(0, np.float32)]
        evidence = [np.zeros((0, places, places), np.float32)]
        start = 0
        while start < len(waiting):
            chunk = waiting[start : start + self._sizes[-1]]
            part = self._run_unless_exhausted(images, chunk)
            if part is None:
                self._halve()
                continue
            scores.append(part[0])
            evidence.append(part[1])
            start += len(chunk)
        ends = np.cumsum([len(windows) for _, windows in images], dtype=np.int64)
        # the part after the last end is empty
        each = zip(images, np.split(np.concatenate(scores), ends), np.split(np.concatenate(evidence), ends))  # noqa: B905
        return [ScoredWindows(tuple(windows), values, maps) for (_, windows), values, maps in each]

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
        self, images: Sequence[tuple[Pixels, Sequence[Window]]], chunk: Sequence[tuple[int, Window]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Scores (n,) and evidence (n, c, c) of (index of image, window); None where the memory does not suffice."""
        count = len(chunk)
        filled = next(size for size in self._sizes if size >= count) if self.device.type == "cuda" else count
        try:
            parts = [
                grey_batch(images[index][0], [window for _, window in some], self.recipe)
                for index, some in groupby(chunk, key=itemgetter(0))
            ]
            grey = functional.pad(torch.cat(parts), (0, 0, 0, 0, 0, 0, 0, filled - count))
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
