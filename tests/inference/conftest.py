"""Weights that need no training, and a study that they have read, made once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch

from inference.pipeline import Analyser
from inference.results import StudyResult
from phantoms.mammogram import write_study
from phantoms.small_study import NODULE, SIZE, policy
from phantoms.weights import write_weights


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with both modules' weights, set by hand to see brightness."""
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def analyser(weights: Path) -> Analyser:
    """With those weights."""
    return Analyser.load(weights, device="cpu", threads=1)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """Four views, a nodule in both of the right breast."""
    lesions = {("R", "CC"): [NODULE], ("R", "MLO"): [replace(NODULE, x=375)]}
    return write_study(tmp_path_factory.mktemp("study"), lesions=lesions, **SIZE)


@pytest.fixture(scope="session")
def result(analyser: Analyser, study: Sequence[Path]) -> StudyResult:
    """What is found in it."""
    return analyser.analyse_study(study, policy())
