"""Coverage-guided fuzzing: `python tests/fuzz TARGET [SECONDS] [CORPUS]` (make fuzz runs each target in turn)."""

import sys
import warnings
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

with atheris.instrument_imports(include=["pynetdicom", "pydicom", "scp", "inference", "config"]):
    import structlog
    from targets import TARGETS, seeds


def main() -> None:
    """Run one target; a finding is written to a file that names itself, and ends the run."""
    name = sys.argv[1]
    seconds = sys.argv[2] if len(sys.argv) > 2 else "600"
    corpus = Path(sys.argv[3] if len(sys.argv) > 3 else f"fuzz-corpus/{name}")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    warnings.simplefilter("ignore")  # pydicom warns of what it reads
    import logging

    logging.disable(logging.CRITICAL)
    options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=16384", "-len_control=0"]
    pinned = [str(folder) for folder in [HERE / "corpus" / name] if folder.is_dir()]
    atheris.Setup([sys.argv[0], str(corpus), *pinned, *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
