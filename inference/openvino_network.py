"""The evidence network on OpenVINO (extra `fast`): the same numbers in fewer CPU seconds.

The graph is put together here from the folded weights: nothing is traced, and none of OpenVINO's converters, which
report their use to its makers, is ever called.
"""

from typing import Any

import numpy as np
import openvino
import torch
from openvino import opset13 as ops
from torch import Tensor, nn

from inference.evidence import EvidenceNetwork, GreyStem


class OpenVinoNetwork:
    """On the CPU, (n, 1, h, w) float32 grey in 0..1 -> (n, h/32, w/32) float32 evidence. For one thread at a time.

    `precision` is f32, or empty for the fastest that the processor has (bfloat16 on some). With several `streams`
    the images of a batch are shared out among them, with one stream all `threads` work on the same image.
    """

    def __init__(self, network: EvidenceNetwork, threads: int, streams: int, precision: str) -> None:
        options: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams}
        if precision:
            options["INFERENCE_PRECISION_HINT"] = precision
        compiled = openvino.Core().compile_model(_model(network), "CPU", options)
        self._queue = openvino.AsyncInferQueue(compiled, streams)
        self._queue.set_callback(_keep)

    def __call__(self, grey: Tensor) -> Tensor:
        """Each image by itself, so that no new batch size has to be tuned."""
        images = grey.numpy()
        places: list[np.ndarray[Any, Any] | None] = [None] * len(images)
        for index in range(len(images)):
            self._queue.start_async({0: np.ascontiguousarray(images[index : index + 1])}, (places, index))
        self._queue.wait_all()
        return torch.from_numpy(np.concatenate([place for place in places if place is not None]))


def _keep(request: Any, place: tuple[list[Any], int]) -> None:
    places, index = place
    places[index] = request.get_output_tensor(0).data.copy()


def _model(network: EvidenceNetwork) -> Any:
    """(1, 1, ?, ?) -> (1, ?/32, ?/32)."""
    grey = ops.parameter([1, 1, -1, -1], np.float32)
    stem, _, _, *layers = network.body.children()
    assert isinstance(stem, GreyStem)
    x = ops.max_pool(ops.relu(_stem(grey, stem)), [2, 2], [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
    for layer in layers:
        for block in layer.children():
            parts = dict(block.named_children())
            x = _block(x, parts) if "conv1" in parts else ops.relu(_convolution(x, parts["0"]))
    evidence = _add(ops.convolution(x, _constant(network.weight), [1, 1], [0, 0], [0, 0], [1, 1]), network.bias)
    return openvino.Model([ops.squeeze(evidence, ops.constant(np.array([1])))], [grey], "evidence")


def _stem(grey: Any, stem: GreyStem) -> Any:
    ones = ops.broadcast(ops.constant(np.float32(1)), ops.shape_of(grey))
    means = ops.convolution(ones, _constant(stem.mean_kernel), [2, 2], [3, 3], [3, 3], [1, 1])
    convolved = ops.convolution(grey, _constant(stem.kernel), [2, 2], [3, 3], [3, 3], [1, 1])
    return ops.add(convolved, _add(means, stem.bias))


def _block(x: Any, parts: dict[str, nn.Module]) -> Any:
    inner = ops.relu(_convolution(x, parts["conv1"]))
    inner = _convolution(ops.relu(_convolution(inner, parts["conv2"])), parts["conv3"])
    shortcut = x if isinstance(parts["downsample"], nn.Identity) else _convolution(x, parts["downsample"])
    return ops.relu(ops.add(inner, shortcut))


def _convolution(x: Any, part: nn.Module) -> Any:
    assert isinstance(part, nn.Conv2d)
    assert part.bias is not None  # batch norms are folded in
    assert isinstance(part.padding, tuple)
    stride, padding = list(part.stride), list(part.padding)
    return _add(ops.convolution(x, _constant(part.weight), stride, padding, padding, [1, 1]), part.bias)


def _add(x: Any, bias: Tensor) -> Any:
    return ops.add(x, _constant(bias.view(1, -1, 1, 1)))


def _constant(tensor: Tensor) -> Any:
    return ops.constant(np.ascontiguousarray(tensor.detach().numpy()))
