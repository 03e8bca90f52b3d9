"""`python -m tests.benchmarks`: every figure beside its baseline, as a table and in bench.json.

Names narrow it down: `python -m tests.benchmarks ingest study`; --tiny only shows that it runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))  # phantoms, peers and benchmarks are imported as the tests import them

from rich.console import Console  # noqa: E402 - the path above comes first

from benchmarks import chain, decode, engine, growth, ingest, table  # noqa: E402
from benchmarks.options import Options, tiny  # noqa: E402
from benchmarks.rows import Row  # noqa: E402

TOPICS: dict[str, Callable[[Options], Iterator[Row]]] = {
    "decode": decode.rows,
    "chain": chain.rows,
    "ingest": ingest.rows,
    "engine": engine.rows,
    "growth": growth.rows,
}

EXPECTED: dict[str, dict[str, str]] = {
    "ingest": {
        "ingest.1": "MB/s",
        "ingest.4": "MB/s",
        "ingest.small": "objects/s",
        "ingest.small.nagle": "objects/s",
        "association": "associations/s",
    },
    "engine": {
        "memory.idle": "MB",
        "roundtrip": "s",
        "saturation": "studies/h",
        "memory.after_1000": "MB",
        "scale.2workers": "studies/h",
    },
}
"""Rows that need programs beside ours: where one is missing or fails, they say so in place of a figure."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the topics, print the table, write the figures. The exit code is 0 whatever was reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("topics", nargs="*", choices=[[], *TOPICS], help="all of them if none is named")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    parser.add_argument("--repeats", type=int, default=5, help="how often each side is measured")
    parser.add_argument("--studies", type=int, default=1000, help="how many pass through for memory.after_1000")
    parser.add_argument("--tiny", action="store_true", help="small and once: only whether it runs")
    chosen = parser.parse_args(arguments)
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 170)
    words = table.hardware()
    done: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mammonode-bench-") as scratch:
        options = (
            tiny(Path(scratch)) if chosen.tiny else Options(Path(scratch), chosen.repeats, studies=chosen.studies)
        )
        for topic in chosen.topics or TOPICS:
            for row in _measured(topic, options):
                done.append(row)
                console.print(f"{row.name}: {row.value} {row.unit}", markup=False, highlight=False)
                chosen.json.write_text(json.dumps([row.as_json() for row in done], indent=1) + "\n")
    table.show(done, words, Console(width=None if sys.stdout.isatty() else 170))
    return 0


def _measured(topic: str, options: Options) -> Iterator[Row]:
    """The topic's rows; those that a missing or failing program has cost come without a value, with the reason."""
    missing = dict(EXPECTED.get(topic, {}))
    try:
        for row in TOPICS[topic](options):
            missing.pop(row.name, None)
            yield row
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        if not missing:
            raise
        why = f"not measured: {error}"[:300]
        yield from (Row(name, None, unit, note=why) for name, unit in missing.items())


if __name__ == "__main__":
    raise SystemExit(main())
