"""What every test may use. The folder itself is importable: `from phantoms.mammogram import ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
