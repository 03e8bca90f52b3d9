"""50 senders at once, each with several instances: above and below the limit of associations, nothing may be lost.

`python tests/scp/campaign_senders.py [SENDERS]` (make associations, after the 10,000). Each sender that is rejected
as one too many (A-ASSOCIATE-RJ, transient) comes again. Ends with an error if an instance is lost or spoiled.
"""

import copy
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from peers.lone_receiver import LoneReceiver
from peers.raw_peer import (
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    P_DATA_TF,
    RELEASE_RQ,
    RawPeer,
    associate_rq,
    encoded,
    p_data,
    store_command,
)
from phantoms.mammogram import mammogram

INSTANCES = 6
SUCCESS = b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00"
TOO_MANY = b"\x02\x03\x02"
"""Rejected transient, by the presentation layer of the provider, local limit exceeded (PS3.8 table 9-21)."""

TEMPLATE = mammogram(rows=256, columns=192)


@dataclass
class Senders:
    """What they heard, and what they have sent: pixels by SOP Instance UID."""

    port: int
    heard: "Counter[str]" = field(default_factory=Counter)
    pixels: dict[str, bytes] = field(default_factory=dict)
    at_once: int = 0
    most: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, number: int) -> None:
        """One sender: a study of its own, over as many associations as it takes to be let in."""
        chance = random.Random(number)
        images = [_image(chance) for _ in range(INSTANCES)]
        with self._lock:
            self.pixels.update({str(ds.SOPInstanceUID): ds.PixelData for ds in images})
        while True:
            with RawPeer(self.port, timeout=300) as peer:
                kind = self._knock(peer)
                if kind == A_ASSOCIATE_AC:
                    self._store(peer, images)
                    return
            time.sleep(chance.uniform(0.1, 0.5))

    def _knock(self, peer: RawPeer) -> int:
        try:
            peer.send(associate_rq())
            kind, content = peer.receive()
        except ConnectionError:
            kind, content = 0, b""
        if kind == A_ASSOCIATE_RJ:
            assert content[1:4] == TOO_MANY, content
        self._count({A_ASSOCIATE_AC: "accepted", A_ASSOCIATE_RJ: "rejected"}.get(kind, "closed unheard"))
        return kind

    def _store(self, peer: RawPeer, images: list[Dataset]) -> None:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        for ds in images:
            content = encoded(ds)
            pieces = [content[start : start + 16000] for start in range(0, len(content), 16000)]
            peer.send(store_command(ds.SOPInstanceUID))
            for piece in pieces[:-1]:
                peer.send(p_data(piece, last=False))
            peer.send(p_data(pieces[-1]))
            kind, answer = peer.receive()
            assert kind == P_DATA_TF
            self._count("Success" if SUCCESS in answer else "refused")
        with self._lock:
            self.at_once -= 1
        peer.send(RELEASE_RQ)
        assert peer.receive()[0] == 6

    def _count(self, what: str) -> None:
        with self._lock:
            self.heard[what] += 1


def _image(chance: random.Random) -> Dataset:
    ds = copy.deepcopy(TEMPLATE)  # a shallow copy would share its elements
    ds.SOPInstanceUID, ds.StudyInstanceUID = generate_uid(), generate_uid()
    ds.PixelData = chance.randbytes(64) + TEMPLATE.PixelData[64:]
    return ds


def run(limit: int, senders: int) -> None:
    """All at once against a listener that takes `limit` associations. Raises AssertionError."""
    with tempfile.TemporaryDirectory() as place:
        receiver = LoneReceiver(Path(place) / "node", {"maximum_associations": limit}).start()
        began = time.monotonic()
        try:
            all_of_them = Senders(receiver.port)
            with ThreadPoolExecutor(senders) as pool:
                for done in [pool.submit(all_of_them.send, number) for number in range(senders)]:
                    done.result()
            seconds = time.monotonic() - began
        finally:
            receiver.stop()
        kept = {str(ds.SOPInstanceUID): ds.PixelData for ds in map(dcmread, receiver.kept)}
    print(f"limit {limit}: {dict(all_of_them.heard)}, at once {all_of_them.most}, kept {len(kept)}, {seconds:.1f} s")
    assert all_of_them.heard["Success"] == senders * INSTANCES
    assert all_of_them.most <= limit
    assert kept == all_of_them.pixels, "lost or spoiled"
    assert (all_of_them.heard["rejected"] > 0) == (limit < senders)
    assert not all_of_them.heard["closed unheard"]


def main() -> None:
    """Above the limit, and below."""
    senders = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    for limit in (senders + 10, senders // 5):
        run(limit, senders)
    print("nothing lost")


if __name__ == "__main__":
    main()
