"""`make power`, second part: the strictest power cut that POSIX allows, at POINTS (8) moments of one run of the node.

The whole node runs under strace (faults.unsynced). For each moment a folder is made that holds only what was durable
then; every instance that had heard Success must be in it, whole, and a node started on it must finish every study
that had come whole, with the objects that the first run has made.
"""

import os
import random
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pydicom import dcmread

from faults.sender import Sender, SentStudy
from faults.unsynced import Folder, traced, wait_for_trace
from peers import bad_pacs
from peers.running_node import RunningNode

STUDIES = 4


class Run:
    """One traced run of a node, and what it was told and has said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.got: dict[str, set[str]] = {}

    def keep(self, event: object) -> int:
        """A C-STORE at the destination."""
        ds = event.dataset  # type: ignore[attr-defined]  # pynetdicom's Event
        self.got.setdefault(str(ds.StudyInstanceUID), set()).add(str(ds.SOPInstanceUID))
        return 0x0000

    def node(self, place: Path, port: int, log: Path | None = None) -> RunningNode:
        destination = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": port}
        sections = {"node": {"folder": str(place)}, "delivery": {"first_retry": 1.0}}
        under = tuple(traced(log)) if log else ()
        return RunningNode(self.folder / f"node-of-{place.name}", [destination], sections, under=under)

    def record(self, log: Path) -> list[SentStudy]:
        """Send, let everything be delivered, stop; the trace is in `log` then."""
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        with bad_pacs.pacs(EVT_C_STORE=self.keep) as port:
            node = self.node(data, port, log).start(300)
            assert node.process is not None
            pid, sender = node.process.pid, Sender([node.port])
            for _ in range(STUDIES):
                sender.send_one(threading.Event())
            for study in sender.studies:
                node.wait_for_state(study.uid, "delivered", seconds=300)
            node.stop()
        wait_for_trace(log, pid)
        return sender.studies


def check(run: Run, studies: list[SentStudy], folder: Folder, promised: set[str], number: int) -> str:
    """Cut here. Returns what is wrong, or nothing."""
    place = run.folder / f"cut-{number}"
    folder.write_durable(place)
    for instance in promised:
        files = list(place.glob(f"spool/studies/*/{instance}.*.dcm"))
        study = next(study for study in studies if instance in study.pixels)
        if not files or dcmread(files[0]).SOPInstanceUID != instance or not dcmread(files[0]).PixelData:
            return f"{instance} heard Success and is gone"
        if files[0].parent.name != study.uid:
            return f"{instance} lies in another study"
    whole = [study for study in studies if promised.issuperset(study.pixels)]
    before = {uid: set(instances) for uid, instances in run.got.items()}
    with bad_pacs.pacs(EVT_C_STORE=run.keep) as port:
        node = run.node(place, port).start(300)
        for study in whole:
            node.wait_for_state(study.uid, "delivered", seconds=300)
        node.stop()
    for study in whole:
        if len(run.got[study.uid]) != len(before[study.uid]):
            return f"{study.uid} got other objects than before"
    return ""


def main() -> int:
    points = int(os.environ.get("POINTS", "8"))
    with tempfile.TemporaryDirectory(prefix="mammonode-unsynced-") as name:
        run, log = Run(Path(name)), Path(name) / "calls"
        studies = run.record(log)
        answers = list(Folder(run.folder / "data").play(log))
        calls, first = len(answers), next(at for at, said in enumerate(answers) if said)
        chosen = set(random.Random(int(os.environ.get("SEED", "1"))).sample(range(first, calls), points))
        folder, promised, wrong = Folder(run.folder / "data"), set[str](), 0
        for at, said in enumerate(folder.play(log)):
            promised.update(said)
            if at in chosen:
                trouble = check(run, studies, folder, promised, at)
                wrong += bool(trouble)
                print(
                    f"cut after call {at} of {calls}: {len(promised)} instances promised, {trouble or 'well'}",
                    flush=True,
                )
    print(f"{points} cuts, {wrong} with a loss")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
