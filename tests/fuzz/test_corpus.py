"""Every input that once broke something, and the good ones that fuzzing begins with."""

from pathlib import Path

import pytest
from targets import TARGETS, seeds

CORPUS = sorted(path for path in Path(__file__).parent.glob("corpus/*/*") if path.is_file())


@pytest.mark.filterwarnings("ignore")  # pydicom warns of what is wrong in them
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_pinned_input_does_no_harm(path):
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_a_good_input_does_no_harm(target):
    for seed in seeds(target):
        TARGETS[target](seed)
