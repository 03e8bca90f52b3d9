"""JPEG 2000 by nvImageCodec or, where it is missing or refuses, by OpenJPEG: the same words."""

import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import imagecodecs
import numpy as np
import pytest
import torch
from pydicom import uid

from inference import gpu_decoding
from inference.decoding import stored_words
from phantoms.encoding import encoded
from phantoms.mammogram import mammogram

FRAMES: list[int] = []


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[bytes], Any]], None]]:
    """Puts a stand-in with nvImageCodec's calls in its place; it decodes as it is told."""

    def install(decode: Callable[[bytes], Any]) -> None:
        codec = ModuleType("nvidia.nvimgcodec")
        codec.DecodeParams = lambda **options: options  # type: ignore[attr-defined]
        codec.ColorSpec = SimpleNamespace(UNCHANGED="unchanged")  # type: ignore[attr-defined]

        class Decoder:
            def decode(self, frame: bytes, params: dict[str, object]) -> Any:
                assert params == {"allow_any_depth": True, "color_spec": "unchanged"}
                FRAMES.append(len(frame))
                return decode(frame)

        codec.Decoder = Decoder  # type: ignore[attr-defined]
        package = ModuleType("nvidia")
        package.nvimgcodec = codec  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "nvidia", package)
        monkeypatch.setitem(sys.modules, "nvidia.nvimgcodec", codec)
        monkeypatch.setattr(gpu_decoding, "find_spec", lambda name: object())
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    FRAMES.clear()
    gpu_decoding._decoder.cache_clear()
    yield install
    gpu_decoding._decoder.cache_clear()


def on_gpu(frame: bytes) -> Any:
    """As nvImageCodec gives it: (rows, columns, 1), somewhere else until asked for here."""
    return SimpleNamespace(cpu=lambda: imagecodecs.jpeg2k_decode(frame)[..., None])


def refused(frame: bytes) -> Any:
    raise RuntimeError("unsupported")


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.HTJ2KLossless])
@pytest.mark.parametrize("decode", [on_gpu, refused, lambda frame: None], ids=["decodes", "refuses", "has nothing"])
def test_the_words_are_the_same(
    installed: Callable[[Callable[[bytes], Any]], None], syntax: uid.UID, decode: Callable[[bytes], Any]
) -> None:
    original = mammogram(rows=128, columns=96)
    ds = encoded(original, syntax)
    installed(decode)
    assert np.array_equal(stored_words(ds), stored_words(original))
    assert len(FRAMES) == 1


def test_without_the_package_or_a_device_it_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_decoding._decoder.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_decoding._decoder() is None
    gpu_decoding._decoder.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu_decoding, "find_spec", lambda name: None)
    assert gpu_decoding._decoder() is None
    gpu_decoding._decoder.cache_clear()
