"""The evidence network on CUDA: compiled where that is possible, recorded once for each batch size, then replayed."""

from collections.abc import Callable, Sequence

import structlog
import torch
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

log = structlog.get_logger()

Network = Callable[[Tensor], Tensor]

_COMPILATIONS = 64
"""Sizes times modules; PyTorch's own limit of 8 would leave the last ones uncompiled."""

_WARM_UPS = 3
"""Runs before recording, as CUDA graphs need them: libraries choose and allocate in the first ones."""


class CudaNetwork:
    """(n, 1, s, s) float16 channels-last on `device` -> (n, s/32, s/32) float32.

    Batches of a recorded size and shape are replayed; any other (a dense scan's strips) runs as it comes.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self._plain = network
        self._device = device
        self._recorded: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}

    def record(self, sizes: Sequence[int], side: int) -> None:
        """Record a batch of each size, the largest first so that the others share its memory.

        Raises torch.OutOfMemoryError.
        """
        network, pool = self._plain, None
        with torch.inference_mode(), torch._dynamo.config.patch(recompile_limit=_COMPILATIONS):
            for size in sorted(sizes, reverse=True):
                shape = (size, 1, side, side)
                grey = torch.zeros(shape, device=self._device, dtype=torch.float16)
                grey = grey.contiguous(memory_format=torch.channels_last)
                if not self._recorded:
                    network = self._compiled(grey)
                self._warm_up(network, grey)
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, pool=pool):
                    evidence = network(grey)
                pool = graph.pool()
                self._recorded[shape] = (graph, grey, evidence)

    def __call__(self, grey: Tensor) -> Tensor:
        """The evidence, in memory of its own."""
        recorded = self._recorded.get(tuple(grey.shape))
        if recorded is None:
            return self._plain(grey)
        graph, source, evidence = recorded
        source.copy_(grey)
        graph.replay()
        return evidence.clone()

    def _compiled(self, grey: Tensor) -> Network:
        """torch.compile's network, or the plain one where this machine cannot compile (no Triton, no compiler)."""
        compiled: Network = torch.compile(self._plain, dynamic=False)
        try:
            compiled(grey)
        except (TorchDynamoException, ImportError, OSError) as error:
            log.warning("the network runs uncompiled", error=type(error).__name__)
            return self._plain
        return compiled

    def _warm_up(self, network: Network, grey: Tensor) -> None:
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # as torch has it
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                network(grey)
        torch.cuda.current_stream(self._device).wait_stream(stream)
