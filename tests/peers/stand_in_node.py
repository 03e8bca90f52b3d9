"""The node with a fixed-time scorer in the network's place: `python stand_in_node.py serve --config FILE …`.

Everything else is the product: the same composition root, given another analyser.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from config.settings import Settings, load
from scp.node import serve

if TYPE_CHECKING:
    from scp.steps import StudyAnalyser


def load_scorer(_settings: Settings) -> "StudyAnalyser":
    """The worker alone pays for it."""
    from peers.fixed_scorer import FixedScorer

    return FixedScorer(float(os.environ.get("FIXED_SCORER_SECONDS", "0")))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--role", default="all")
    parser.add_argument("--slot", type=int, default=0)
    arguments = parser.parse_args()
    return serve(
        load(arguments.config),
        arguments.config,
        arguments.role,
        arguments.slot,
        entry=(sys.executable, __file__),
        load=load_scorer,
    )


if __name__ == "__main__":
    sys.exit(main())
