"""10,000 associations with one listener, 1,000 of them hostile: memory, threads and descriptors must stay flat.

`python tests/scp/campaign_associations.py [ASSOCIATIONS]` (make associations); prints a line for each tenth and
ends with an error if anything leaked or a good peer was refused.
"""

import random
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from peers.lone_receiver import LoneReceiver
from peers.raw_peer import (
    A_ASSOCIATE_AC,
    ABORT,
    P_DATA_TF,
    RELEASE_RQ,
    RawPeer,
    associate_rq,
    encoded,
    p_data,
    store_command,
)
from peers.waiting import wait_for
from phantoms.mammogram import mammogram
from scp.hardening import TRIM

GROWTH = 1.05
"""Memory after warm-up may grow by so much."""
AT_ONCE = 8
QUIET_THREADS = 2
"""The main thread and the one that accepts."""

IMAGE = mammogram(rows=64, columns=48)
STORE = store_command(IMAGE.SOPInstanceUID)
DATA_SET = encoded(IMAGE)


def good(port: int, _chance: random.Random) -> None:
    """Associate, store, release; every answer must be right."""
    with RawPeer(port, timeout=300) as peer:
        answer = peer.associate()
        assert answer == A_ASSOCIATE_AC, f"answered with PDU type {answer}"
        peer.send(STORE, p_data(DATA_SET))
        kind, content = peer.receive()
        assert kind == P_DATA_TF
        assert b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00" in content, "no Success"
        peer.send(RELEASE_RQ)
        assert peer.receive()[0] == 6


def connect_and_leave(port: int, _chance: random.Random) -> None:
    """A load balancer's probe."""
    RawPeer(port).socket.close()


def half_a_request(port: int, chance: random.Random) -> None:
    """Leave in the middle of the request."""
    with RawPeer(port) as peer:
        request = associate_rq()
        peer.send(request[: chance.randrange(1, len(request))])


def half_an_object(port: int, chance: random.Random) -> None:
    """Abort, or leave, in the middle of an object."""
    with RawPeer(port) as peer:
        peer.associate()
        peer.send(STORE, p_data(DATA_SET[: chance.randrange(len(DATA_SET))], last=False))
        if chance.random() < 0.5:
            peer.send(ABORT)


def noise(port: int, chance: random.Random) -> None:
    """Random bytes, before or after association."""
    with RawPeer(port) as peer:
        if chance.random() < 0.5:
            peer.associate()
        peer.send(chance.randbytes(chance.randrange(1, 4000)))


def bomb(port: int, chance: random.Random) -> None:
    """A PDU of up to 4 GiB."""
    with RawPeer(port) as peer:
        peer.send(struct.pack(">BxL", chance.randrange(1, 8), chance.randrange(1 << 20, 1 << 32)), bytes(1000))


def damaged_object(port: int, chance: random.Random) -> None:
    """An object with a few wrong bytes."""
    damaged = bytearray(DATA_SET)
    for _ in range(20):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    with RawPeer(port) as peer:
        peer.associate()
        peer.send(STORE, p_data(bytes(damaged)))
        peer.receive()


def reset(port: int, _chance: random.Random) -> None:
    """RST in the middle of an object."""
    with RawPeer(port) as peer:
        peer.associate()
        peer.send(STORE, p_data(DATA_SET[:1000], last=False))
        peer.socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0


def stall(port: int, _chance: random.Random) -> None:
    """Stop in the middle of a PDU until the listener has had enough."""
    with RawPeer(port, timeout=60) as peer:
        peer.associate()
        peer.send(STORE[:20])
        peer.closed()


HOSTILE: tuple[Callable[[int, random.Random], None], ...] = (
    connect_and_leave, half_a_request, half_an_object, noise, bomb, damaged_object, reset, stall,
)  # fmt: skip


QUICK = {
    "association_timeout": 30, "network_timeout": 10, "idle_timeout": 60, "dimse_timeout": 30,
}  # fmt: skip


def run(port: int, receiver: psutil.Process, count: int) -> list[dict[str, float]]:
    """The associations, in ten parts; what the receiver takes after each."""
    chance = random.Random(4)
    done: Counter[str] = Counter()
    lock = threading.Lock()

    def one(hostile: bool, seed: int) -> None:
        own = random.Random(seed)
        peer = own.choice(HOSTILE) if hostile else good
        try:
            peer(port, own)
        except (ConnectionError, TimeoutError):
            if not hostile:
                raise
        with lock:
            done[peer.__name__] += 1

    measures = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for part in range(10):
            plan = [number < count // 100 for number in range(count // 10)]
            chance.shuffle(plan)
            began = time.monotonic()
            for waiting in [pool.submit(one, hostile, chance.randrange(1 << 32)) for hostile in plan]:
                waiting.result()
            rate = len(plan) / (time.monotonic() - began)
            wait_for(lambda: receiver.num_threads() <= QUIET_THREADS, 120)
            # at rest: what is free has gone back to the system
            time.sleep(TRIM + 2)
            measures.append(
                {
                    "associations": (part + 1) * len(plan),
                    "rate": round(rate, 1),
                    "rss_mib": round(receiver.memory_info().rss / (1 << 20), 1),
                    "threads": receiver.num_threads(),
                    "descriptors": receiver.num_fds(),
                }
            )
            print(measures[-1], flush=True)
    print(dict(done), flush=True)
    return measures


def main() -> None:
    """Start a receiver, run the campaign, compare the end with what was after the first tenth."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as place:
        receiver = LoneReceiver(Path(place) / "node", QUICK).start()
        try:
            measures = run(receiver.port, receiver.watched, count)
        finally:
            receiver.stop()
        arriving = receiver.arriving
    first, last = measures[0], measures[-1]
    assert not arriving, arriving
    assert last["rss_mib"] <= GROWTH * first["rss_mib"], "memory grows"
    assert last["threads"] <= first["threads"], "threads are left over"
    assert last["descriptors"] <= first["descriptors"], "descriptors are left over"
    print("nothing leaked")


if __name__ == "__main__":
    main()
