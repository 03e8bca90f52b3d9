"""Weights that need no training, made once."""

from pathlib import Path

import cv2
import pytest
import torch

from phantoms.weights import write_weights


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with both modules' weights, set by hand to see brightness."""
    return write_weights(tmp_path_factory.mktemp("weights"))
