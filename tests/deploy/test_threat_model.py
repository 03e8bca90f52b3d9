"""Each test that the threat model names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_it_names_exists():
    text = (ROOT / "deploy" / "threat-model.md").read_text()
    named, file = [], ""
    for reference in re.findall(r"`((?:tests/[\w/]+\.py::)?test_\w+)`|`(tests/[\w/]+\.py::test_\w+)`", text):
        path, _, name = "".join(reference).rpartition("::")
        file = path or file
        named.append((file, name))
    assert len(named) > 30
    missing = [name for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]
    assert missing == []
