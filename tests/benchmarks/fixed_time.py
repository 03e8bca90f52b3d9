"""An analyser that takes a fixed time, and finds the same in every image."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.results import MODELS, study_result
from inference.case import EligibilityPolicy
from inference.results import ModelIdentity, StudyResult
from scp.objects.inputs import HeatMaps


class FixedTime:
    """One finding an image, after so many seconds."""

    def __init__(self, seconds: float, beside: object | None) -> None:
        self._seconds = seconds
        self._beside = beside

    def analyse_study(self, files: Sequence[Path], policy: EligibilityPolicy) -> StudyResult:
        """Wait, as for a device, then answer."""
        time.sleep(self._seconds)
        return study_result(files, 1)

    def heat_map_source(self, files: Mapping[str, Path]) -> HeatMaps:
        """None of any image."""
        return lambda _instance, _module: None

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """Nobody's."""
        return MODELS
