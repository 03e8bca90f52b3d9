"""JPEG 2000 by nvImageCodec (extra `cuda`) where it is installed and has a device; OpenJPEG takes half a second."""

from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any

import imagecodecs
import numpy as np
import structlog
from numpy.typing import NDArray

log = structlog.get_logger()

_one_at_a_time = Lock()
"""Images are prepared in several threads, and nothing says that they may share a decoder."""


def jpeg_2000(frame: bytes) -> NDArray[Any]:
    """A JPEG 2000 or HTJ2K frame, (rows, columns) in the integers its codestream declares.

    What nvImageCodec does not take goes to OpenJPEG, which also says what is wrong with a damaged one. Raises
    RuntimeError, ValueError as imagecodecs does.
    """
    decoder = _decoder()
    if decoder is not None and (words := _decoded(decoder, frame)) is not None:
        return words
    return np.asarray(imagecodecs.jpeg2k_decode(frame))


def _decoded(decoder: Any, frame: bytes) -> NDArray[Any] | None:
    from nvidia import nvimgcodec  # noqa: PLC0415 - an extra

    params = nvimgcodec.DecodeParams(allow_any_depth=True, color_spec=nvimgcodec.ColorSpec.UNCHANGED)
    try:
        with _one_at_a_time:
            image = decoder.decode(frame, params=params)
    except RuntimeError as error:
        log.warning("nvImageCodec refused a frame", error=type(error).__name__)
        return None
    if image is None:
        return None
    words = np.ascontiguousarray(np.asarray(image.cpu()))
    return words[..., 0] if words.ndim == 3 and words.shape[2] == 1 else words


@cache
def _decoder() -> Any:
    """One for the process, None where there is no package or no device."""
    if find_spec("nvidia") is None or find_spec("nvidia.nvimgcodec") is None:
        return None
    import torch  # noqa: PLC0415 - 200 MB that a process which only decodes need not have

    if not torch.cuda.is_available():
        return None
    from nvidia import nvimgcodec  # noqa: PLC0415 - an extra

    return nvimgcodec.Decoder()
