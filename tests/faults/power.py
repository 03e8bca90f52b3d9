"""`make power`: the node on a disk of its own whose power is cut CUTS (20) times at random moments.

What nobody had synced is gone then. After each cut, before the node starts again, every instance that heard Success
must lie in the spool, whole; in the end every received study must have been delivered, once. Needs root.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pydicom import dcmread
from pydicom.dataset import Dataset

from faults.campaign import COUNTER
from faults.counted import CountedLog
from faults.reckoning import Kill, Reckoning, reckon
from faults.sender import Sender, digest_of
from peers.ports import free_port
from peers.running_node import RunningNode
from peers.small_disk import SmallDisk
from peers.waiting import wait_for

MEGABYTES = 600

AFTER_PROGRESS = 0.7
"""How many cuts wait for the node to be at work again; the others may fall into its start."""


@dataclass
class PowerCampaign:
    """One node, one sender, one independent counter (on another disk)."""

    folder: Path
    cuts: int
    seed: int
    done: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    checked: int = 0

    def run(self) -> Reckoning:
        """Send, cut, check, go on; then count."""
        self._random = random.Random(self.seed)
        self._disk = SmallDisk(self.folder / "disk", MEGABYTES, self.folder / "disk.img").make()
        self._log, port = CountedLog(self.folder / "counter.jsonl"), free_port()
        self._counter = subprocess.Popen([sys.executable, str(COUNTER), "PACS", str(port), str(self._log.path)])
        self._node = RunningNode(
            self.folder / "node",
            [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": port}],
            {"node": {"folder": str(self._disk.folder / "data")}, "analysis": {"worker_crashes": 50}},
            seconds=0.3,
        )
        self._node.start()
        self._sender = HeedfulSender([self._node.port])
        self._stopping = threading.Event()
        sending = threading.Thread(target=self._send, daemon=True)
        sending.start()
        while len(self.done) < self.cuts:
            if self._random.random() < AFTER_PROGRESS:
                self._wait_for_progress()
            time.sleep(self._random.uniform(0.0, 6.0))
            self._cut()
        self._stopping.set()
        sending.join()
        self._come_to_rest()
        return reckon(
            self._sender, {"pacs": self._log.lines()}, [Kill(at, "power", self._node.port) for at in self.done]
        )

    def close(self) -> None:
        """End everything that was started."""
        self._stopping.set()
        self._node.stop()
        self._counter.kill()
        self._counter.wait()
        self._disk.unmount()

    def _send(self) -> None:
        while not self._stopping.is_set():
            self._sender.send_one(self._stopping)
            while not self._stopping.is_set() and self._behind() > 10:
                self._stopping.wait(0.2)

    def _behind(self) -> int:
        return len(self._sender.studies) - len({line.study for line in self._log.lines()})

    def _wait_for_progress(self) -> None:
        """Something new has come to the destination: on a slow machine only starts would be cut else."""
        before = len(self._log.lines())
        wait_for(lambda: len(self._log.lines()) > before or self._behind() == 0, 300, "nothing goes on after a cut")

    def _cut(self) -> None:
        self._disk.cut_power()
        self.done.append(time.time())
        self._node.kill_all()
        self._disk.unmount_unused()
        self._disk.mount()
        promised = dict(self._sender.promised)
        self._check(promised)
        self._node.start()
        print(f"{len(self.done)} cuts, {len(promised)} instances promised, {len(self.lost)} lost", flush=True)

    def _check(self, promised: dict[str, tuple[str, str]]) -> None:
        studies = self._disk.folder / "data" / "spool" / "studies"
        for instance, (study, digest) in promised.items():
            self.checked += 1
            files = sorted((studies / study).glob(f"{instance}.*.dcm"))
            if not any(digest_of(dcmread(path)) == digest for path in files):
                self.lost.append(instance)
                print(f"lost: {instance} of {study}", flush=True)

    def _come_to_rest(self) -> None:
        wanted = {study.uid for study in self._sender.studies if study.received}
        try:
            wait_for(lambda: self._all_there(wanted), 400)
        except TimeoutError:
            print("not everything has arrived; counting what has", flush=True)

    def _all_there(self, wanted: set[str]) -> bool:
        return len({line.instance for line in self._log.lines() if line.study in wanted}) >= 6 * len(wanted)


class HeedfulSender(Sender):
    """Remembers the study and digest of each instance that heard Success."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(ports)
        self.promised: dict[str, tuple[str, str]] = {}

    def _send(self, datasets: Sequence[Dataset], port: int) -> list[Dataset]:
        left = super()._send(datasets, port)
        unheard = {str(ds.SOPInstanceUID) for ds in left}
        for ds in datasets:
            if ds.SOPInstanceUID not in unheard:
                self.promised[str(ds.SOPInstanceUID)] = (str(ds.StudyInstanceUID), digest_of(ds))
        return left


def main() -> int:
    cuts, seed = int(os.environ.get("CUTS", "20")), int(os.environ.get("SEED", "1"))
    with tempfile.TemporaryDirectory(prefix="mammonode-power-") as folder:
        started = time.monotonic()
        campaign = PowerCampaign(Path(folder), cuts, seed)
        try:
            reckoning = campaign.run()
        finally:
            campaign.close()
            if keep := os.environ.get("KEEP"):
                shutil.copytree(campaign.folder / "node", keep, dirs_exist_ok=True)
    print(f"\n{time.monotonic() - started:.0f} s, seed {seed}\n{reckoning.table()}")
    print(f"instances looked for after a cut: {campaign.checked}, lost after Success: {len(campaign.lost)}")
    return 0 if reckoning.ok and not campaign.lost else 1


if __name__ == "__main__":
    sys.exit(main())
