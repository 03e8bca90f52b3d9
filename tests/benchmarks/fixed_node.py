"""`python -m benchmarks.fixed_node serve …`: the real node whose analyser takes a fixed time.

FIXED_SECONDS says how long a study takes; where FIXED_WEIGHTS names a folder the networks are loaded beside it, for
their memory counts.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from config.settings import Settings, load
from scp.node import serve

if TYPE_CHECKING:
    from benchmarks.fixed_time import FixedTime

ENTRY = (sys.executable, "-m", "benchmarks.fixed_node")


def load_fixed(settings: Settings) -> "FixedTime":
    """In the worker alone: the other processes of a node have no PyTorch, and must not get it here."""
    from benchmarks.fixed_time import FixedTime

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
