"""The node with a fixed-time scorer in the network's place: `python stand_in_node.py serve --config FILE …`.

Everything else is the product: the same composition root, given another analyser.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from config.settings import load
from peers.fixed_scorer import FixedScorer
from scp.node import serve


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--role", default="all")
    parser.add_argument("--slot", type=int, default=0)
    arguments = parser.parse_args()
    seconds = float(os.environ.get("FIXED_SCORER_SECONDS", "0"))
    return serve(
        load(arguments.config),
        arguments.config,
        arguments.role,
        arguments.slot,
        entry=(sys.executable, __file__),
        load=lambda _settings: FixedScorer(seconds),
    )


if __name__ == "__main__":
    sys.exit(main())
