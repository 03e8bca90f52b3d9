"""`python -m benchmarks.fixed_node serve …`: the real node whose analyser takes a fixed time.

FIXED_SECONDS says how long a study takes; where FIXED_WEIGHTS names a folder the networks are loaded beside it, for
their memory counts.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.results import MODELS, study_result
from config.settings import Settings, load
from inference.eligibility import EligibilityPolicy
from inference.results import ModelIdentity, StudyResult
from scp.node import serve
from scp.objects.inputs import HeatMaps

ENTRY = (sys.executable, "-m", "benchmarks.fixed_node")


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


def load_fixed(settings: Settings) -> FixedTime:
    """The stand-in, and the networks in memory if they are asked for."""
    beside = None
    if weights := os.environ.get("FIXED_WEIGHTS"):
        from inference.pipeline import Analyser

        beside = Analyser.load(Path(weights), device=settings.analysis.device)
    return FixedTime(float(os.environ["FIXED_SECONDS"]), beside)


def main() -> int:
    """The command line of `mammonode serve`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--config", type=Path)
    parser.add_argument("--role", default="all", choices=["all", "receiver", "worker", "web"])
    parser.add_argument("--slot", type=int, default=0)
    chosen = parser.parse_args()
    return serve(load(chosen.config), chosen.config, chosen.role, chosen.slot, ENTRY, load_fixed)


if __name__ == "__main__":
    raise SystemExit(main())
