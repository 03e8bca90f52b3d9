"""Success is a promise: whatever it was said for outlives a power cut at that very moment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from faults.unsynced import Folder, traced, wait_for_trace
from peers.dcmtk import echoscu, storescu
from peers.waiting import wait_for
from phantoms.mammogram import write_study

PROGRAM = """
import sys
from pathlib import Path
from config.settings import load
from scp.receiver import run_receiver
run_receiver(load(Path(sys.argv[1])))
"""


def test_what_was_said_to_be_stored_is_durable_bytes_and_names(tmp_path: Path, free_port: int) -> None:
    assert shutil.which("strace"), "strace is missing: make system"
    data, log = tmp_path / "data", tmp_path / "calls"
    data.mkdir()
    settings = tmp_path / "mammonode.toml"
    listener = f'[listener]\nbind = "127.0.0.1"\nport = {free_port}\nfree_space = 0\n'
    settings.write_text(f'[node]\nfolder = "{data}"\n{listener}')
    files = [path for name in "ab" for path in write_study(tmp_path / name, rows=64, columns=48)]
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [*traced(log), sys.executable, "-c", PROGRAM, str(settings)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as receiver:
        wait_for(lambda: echoscu(free_port).returncode == 0, 120)
        # the second time each is there already, which is a Success too
        for _ in range(2):
            assert storescu(free_port, files).returncode == 0
        receiver.terminate()
        assert receiver.wait(60) == 0
    wait_for_trace(log, receiver.pid)

    folder, promised = Folder(data), list[str]()
    for answered in folder.play(log):
        promised += answered
        for known in promised if answered else ():
            [path] = [name for name in folder.durable_paths() if f"/{known}." in name]
            assert folder.durable_file(path) == (data / path).read_bytes()
    assert len(promised) == 2 * len(files) == 16
