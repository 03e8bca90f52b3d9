import signal
import subprocess
import sys
from pathlib import Path

from faults.outlived import end_outlived


def test_what_outlives_its_node_is_named_and_killed(tmp_path: Path) -> None:
    config = tmp_path / "node-1" / "mammonode.toml"
    receiver = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", str(config)])

    [command] = end_outlived([config.parent], patience=0.1)

    assert command.endswith(str(config))
    assert receiver.wait(30) == -signal.SIGKILL
    assert end_outlived([config.parent], patience=0.1) == []
