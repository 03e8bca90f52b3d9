"""Many connections, requests and reports: each has its answer, and none leaves anything behind."""

import struct
import threading
import time

import psutil
import pytest
from pynetdicom import evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from peers.raw_peer import (
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    ABORT,
    P_DATA_TF,
    RELEASE_RQ,
    REPORT,
    RawPeer,
    associate_rq,
    encoded,
    established,
    mid_store,
    p_data,
    store_command,
)
from peers.waiting import wait_for
from phantoms.mammogram import mammogram
from scp.incoming import IncomingFile
from scp.messages import TICK


@pytest.mark.parametrize("connected", [0, 1])
def test_a_peer_that_connects_and_leaves_holds_nothing(listen, connected):
    listening = listen()
    for _ in range(20):
        peer = RawPeer(listening.port)
        if connected:
            peer.send(associate_rq()[:50])
        peer.socket.close()
    # at once, not after a timeout
    wait_for(lambda: listening.associations == 0, seconds=5)


def test_many_requests_without_reading_answers_stay_in_the_socket(listen):
    listening = listen()
    image = mammogram(rows=16, columns=16)
    data_set = encoded(image)
    one = store_command(image.SOPInstanceUID) + p_data(data_set)
    with established(listening.port) as peer:
        peer.send(one * 60)
        answers = 0
        while answers < 60:
            assert peer.receive()[0] == P_DATA_TF
            answers += 1
            assert len(listening.arriving) <= 16
        peer.send(RELEASE_RQ)
        assert peer.receive()[0] == 6
    assert len(listening.files) == 1


def test_an_instance_that_takes_long_to_keep_is_no_idleness(listen, monkeypatch):
    """A disk that hangs for longer than the idle timeout: the association is there when it is over."""
    listening = listen(idle_timeout=0.5)
    sync = IncomingFile.sync

    def hang(incoming):
        [association] = listening.server._server.active_associations
        wait_for(lambda: association.dul._idle_timer.expired)
        expired = time.monotonic()
        # the association's thread has looked at the timer again and again
        wait_for(lambda: time.monotonic() > expired + 4 * TICK)
        sync(incoming)

    monkeypatch.setattr(IncomingFile, "sync", hang)
    image = mammogram(rows=16, columns=16)
    with established(listening.port) as peer:
        peer.send(store_command(image.SOPInstanceUID) + p_data(encoded(image)))
        assert peer.receive()[0] == P_DATA_TF
        peer.send(RELEASE_RQ)
        assert peer.receive()[0] == 6
    assert len(listening.files) == 1


def test_reports_wait_for_their_turn_and_get_no_threads(listen):
    """Upstream makes a thread for each N-EVENT-REPORT."""
    served, may_end = [], threading.Event()

    def handle(_event):
        served.append(threading.current_thread())
        may_end.wait(20)
        return 0x0000, None

    context = build_context(StorageCommitmentPushModel)
    listening = listen([context], [(evt.EVT_N_EVENT_REPORT, handle)])
    with RawPeer(listening.port) as peer:
        assert peer.associate(contexts=(build_context(StorageCommitmentPushModel),)) == A_ASSOCIATE_AC
        before = threading.active_count()
        peer.send(REPORT * 40)
        wait_for(lambda: served)
        assert threading.active_count() == before
        may_end.set()
        assert [peer.receive()[0] for _ in range(40)] == [P_DATA_TF] * 40
    assert len(set(served)) == 1


def test_a_fragment_may_share_a_pdu_with_its_command(listen):
    listening = listen()
    image = mammogram(rows=16, columns=16)
    both = store_command(image.SOPInstanceUID)[6:] + p_data(encoded(image))[6:]
    with established(listening.port) as peer:
        peer.send(struct.pack(">BxL", P_DATA_TF, len(both)) + both)
        assert peer.receive()[0] == P_DATA_TF
    assert len(listening.files) == 1


def test_too_many_associations_are_rejected_with_the_reason(listen):
    listening = listen(maximum_associations=2)
    held = [established(listening.port) for _ in range(2)]
    with RawPeer(listening.port) as peer:
        peer.send(associate_rq())
        kind, content = peer.receive()
    assert (kind, content[1:4]) == (A_ASSOCIATE_RJ, b"\x02\x03\x02")
    for peer in held:
        peer.send(RELEASE_RQ)
        assert peer.receive()[0] == 6
        peer.socket.close()
    # and their places are free again
    with wait_for(lambda: _accepted(listening.port)):
        pass


def _accepted(port):
    peer = RawPeer(port)
    if peer.associate() == A_ASSOCIATE_AC:
        return peer
    peer.socket.close()
    return None


def test_an_association_that_ended_leaves_no_thread_and_no_descriptor(listen):
    listening = listen()
    process = psutil.Process()

    def once():
        with established(listening.port) as peer:
            peer.send(RELEASE_RQ)
            assert peer.receive()[0] == 6
        with mid_store(listening.port) as peer:
            peer.send(ABORT)
        wait_for(lambda: listening.associations == 0)

    once()
    wait_for(lambda: listening.associations == 0)
    threads, descriptors = threading.active_count(), process.num_fds()
    for _ in range(10):
        once()
    wait_for(lambda: threading.active_count() <= threads and process.num_fds() <= descriptors)
