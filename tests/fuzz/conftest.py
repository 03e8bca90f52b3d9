"""Makes the targets importable, as they are for the fuzzer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
