"""What every test may use. The folder itself is importable: `from phantoms.mammogram import ...`."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# a busy machine is no failure; what must be fast has a test that says so
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
