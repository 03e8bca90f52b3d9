"""Peers that stop, lie and flood in every state of the association; and a watch on what is replaced upstream."""

import hashlib
import inspect
import socket
import struct
import threading
import time

import psutil
import pynetdicom
import pytest
from pynetdicom import acse, association, dimse, dimse_messages, dul, evt, fsm, transport
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from peers.raw_peer import (
    A_ABORT,
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    ABORT,
    ECHO,
    P_DATA_TF,
    RELEASE_RQ,
    REPORT,
    RawPeer,
    associate_rq,
    encoded,
    p_data,
    store_command,
)
from peers.waiting import wait_for
from phantoms.mammogram import mammogram
from scp.admission import SPARE_CONNECTIONS

QUICK = {"association_timeout": 0.6, "network_timeout": 0.6, "idle_timeout": 0.6, "dimse_timeout": 0.6}

UPSTREAM = {
    # replaced
    transport.AssociationServer.get_request: "925a4f3a3042f6e4",
    transport.AssociationServer.service_actions: "0a0853a3615ac7c5",
    transport.ThreadedAssociationServer.process_request_thread: "9e76e9b9c8a3d8b1",
    transport.RequestHandler._create_association: "05c8d12b79863cdb",
    transport.AssociationSocket.ready.fget: "3eb58e3d39dc076d",
    transport.AssociationSocket._shutdown_socket: "e2b2628faa81a578",
    transport.AssociationSocket.recv: "6bc20a33b1b7cfe7",
    transport.AssociationSocket.send: "1ea8158c0b51faca",
    dul.DULServiceProvider._read_pdu_data: "19f2d4e38c13c835",
    dul.DULServiceProvider.stop_dul: "28a7e0be126e7b30",
    dimse.DIMSEServiceProvider.get_msg: "890e3e04283f5aeb",
    dimse.DIMSEServiceProvider.receive_primitive: "5f99c86b14a15cef",
    # relied upon
    dul.DULServiceProvider.__init__: "c82dafa9438ddf70",
    dul.DULServiceProvider.run_reactor: "e3a10eb3a0931e48",
    dul.DULServiceProvider._is_transport_event: "8725ed03bb8fbdef",
    dimse_messages.DIMSEMessage.decode_msg: "f51c777e841a76be",
    association.Association.__init__: "eb07516b8009ad8f",
    association.Association.run_reactor: "ed8bbbe3b3d6ddae",
    association.Association._run_reactor: "f28838c5559e462a",
    association.Association._serve_request: "2f24c1759cdf6c8c",
    association.Association.kill: "8f9713666a7f4cff",
    acse.ACSE._negotiate_as_acceptor: "fffd360957c42a8e",
    fsm.DT_2: "9ec543394e0b49eb",
}
"""Hash of the source of each part of pynetdicom that scp.hardening and scp.messages stand in for or lean on."""


@pytest.mark.parametrize("function", UPSTREAM, ids=lambda function: function.__qualname__)
def test_upstream_is_what_was_read(function):
    assert pynetdicom.__version__ == "3.0.4"
    assert hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16] == UPSTREAM[function], (
        "pynetdicom has changed here: read it, adapt scp.hardening and scp.messages, then change this hash"
    )


@pytest.fixture
def quick(listen):
    """A listener whose timeouts are over soon."""
    return listen(**QUICK)


def _establish(port):
    peer = RawPeer(port)
    assert peer.associate() == A_ASSOCIATE_AC
    return peer


def _begin_store(port, *, image=None):
    """An association in the middle of a C-STORE, with half of the data set sent."""
    image = image or mammogram(rows=64, columns=48)
    peer = _establish(port)
    data_set = encoded(image)
    peer.send(store_command(image.SOPInstanceUID), p_data(data_set[: len(data_set) // 2], last=False))
    return peer


STALLS = {
    "silent after connecting": RawPeer,
    "half a PDU header": lambda port: _sent(RawPeer(port), b"\x01\x00\x00"),
    "half an A-ASSOCIATE-RQ": lambda port: _sent(RawPeer(port), associate_rq()[:100]),
    "silent once established": _establish,
    "half a PDU header once established": lambda port: _sent(_establish(port), b"\x04\x00\x00"),
    "half a P-DATA-TF": lambda port: _sent(_establish(port), store_command("1.2.3")[:40]),
    "command without a data set": lambda port: _sent(_establish(port), store_command("1.2.3")),
    "half a C-STORE": _begin_store,
    "half a PDU in a C-STORE": lambda port: _sent(_begin_store(port), p_data(bytes(1000))[:500]),
    "half a release": lambda port: _sent(_establish(port), RELEASE_RQ[:7]),
    "stays after it was rejected": lambda port: _sent(RawPeer(port), associate_rq(called="SOMEBODY")),
    "stays after its release": lambda port: _sent(_establish(port), RELEASE_RQ),
    "stays after it was aborted": lambda port: _sent(_establish(port), p_data(b"\0" * 8, command=True)),
}


def _sent(peer, piece):
    peer.send(piece)
    return peer


@pytest.mark.parametrize("stall", STALLS)
def test_a_peer_that_stops_is_given_up(quick, stall):
    with STALLS[stall](quick.port) as peer:
        assert peer.closed()
    wait_for(lambda: quick.associations == 0)
    assert quick.arriving == []


def test_a_peer_that_does_not_read_is_given_up(quick):
    with _establish(quick.port) as peer:
        [association] = quick.server._server.active_associations
        association.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        _send_until_cut_off(peer, [ECHO * 100] * 1000)
    wait_for(lambda: quick.associations == 0)


def _send_until_cut_off(peer, pieces, pause=0.0):
    """Send piece by piece until the listener has had enough. Returns how many were taken."""
    peer.socket.settimeout(5)
    for count, piece in enumerate(pieces):
        try:
            peer.send(piece)
        except OSError:
            return count
        time.sleep(pause)
    raise AssertionError("the listener took it all")


def test_a_byte_at_a_time_is_too_slow_for_a_pdu(quick):
    with RawPeer(quick.port) as peer:
        request = associate_rq()
        assert _send_until_cut_off(peer, (bytes([byte]) for byte in request), pause=0.05) < len(request)
    wait_for(lambda: quick.associations == 0)


def test_a_data_set_that_trickles_is_too_slow(listen, monkeypatch):
    monkeypatch.setattr("scp.messages.SLOWEST", 1 << 20)
    listening = listen(dimse_timeout=0.3)
    with _begin_store(listening.port) as peer:
        _send_until_cut_off(peer, [p_data(b"\x00\x00", last=False)] * 1000, pause=0.02)
    wait_for(lambda: listening.associations == 0)
    assert listening.arriving == []


def test_silent_peers_do_not_keep_others_out(listen):
    listening = listen(maximum_associations=4)
    silent = [RawPeer(listening.port) for _ in range(12)]
    with RawPeer(listening.port) as peer:
        assert peer.associate() == A_ASSOCIATE_AC
    for peer in silent:
        peer.socket.close()
    wait_for(lambda: listening.associations == 0)


def test_far_too_many_connections_are_closed_unheard(listen):
    listening = listen(maximum_associations=1)
    held = [RawPeer(listening.port) for _ in range(1 + SPARE_CONNECTIONS)]
    wait_for(lambda: listening.associations == len(held))
    with RawPeer(listening.port) as peer:
        assert peer.closed()
    for peer in held:
        peer.socket.close()


BOMBS = {
    "A-ASSOCIATE-RQ of 4 GiB": (None, b"\x01\x00\xff\xff\xff\xff"),
    "A-ASSOCIATE-RQ of 1 MiB": (None, struct.pack(">BxL", 1, 1 << 20)),
    "P-DATA-TF of 4 GiB": (_establish, b"\x04\x00\xff\xff\xff\xff"),
    "P-DATA-TF of 4 GiB before association": (None, b"\x04\x00\xff\xff\xff\xff"),
    "release of 4 GiB": (_establish, b"\x05\x00\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_declared_length_is_not_believed(listen, bomb):
    listening = listen()
    begin, piece = BOMBS[bomb]
    before = psutil.Process().memory_info().rss
    with (begin or RawPeer)(listening.port) as peer:
        peer.send(piece)
        assert peer.receive()[0] == A_ABORT
        assert peer.closed()
    assert psutil.Process().memory_info().rss - before < 32 << 20


def _item(length, rest=b""):
    item = struct.pack(">L", length) + rest
    return struct.pack(">BxL", P_DATA_TF, len(item)) + item


NONSENSE = {
    "unknown PDU type": b"\x63\x00\x00\x00\x00\x00",
    "item longer than its PDU": _item(100, b"\x01\x03"),
    "item of no length": _item(0),
    "item of one byte": _item(1, b"\x01"),
    "item cut off": _item(5)[:-2].replace(b"\x00\x00\x00\x04", b"\x00\x00\x00\x02"),
    "command that is no data set": p_data(b"\xff" * 40, command=True),
    "command without a command field": p_data(b"\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00", command=True),
    "data set without a command": p_data(b"\x00" * 40),
    "context that was not proposed": store_command("1.2.3").replace(b"\x01\x03", b"\x63\x03", 1),
    "A-ASSOCIATE-AC": b"\x02" + associate_rq()[1:],
    "second A-ASSOCIATE-RQ": associate_rq(),
    "nonsense behind a release": RELEASE_RQ + b"\x63" + bytes(9),
    "A-RELEASE-RP": b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00",
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_ends_the_association_and_nothing_else(quick, nonsense):
    with _establish(quick.port) as peer:
        peer.send(NONSENSE[nonsense])
        assert peer.closed()
    wait_for(lambda: quick.associations == 0)
    with _establish(quick.port) as peer:
        peer.send(RELEASE_RQ)
        assert peer.receive()[0] == 6


def test_a_data_set_that_is_kept_in_memory_does_not_grow_for_ever(listen, monkeypatch):
    """All but a C-STORE's: here of a report."""
    monkeypatch.setattr("scp.messages.MESSAGE_LIMIT", 1 << 16)
    listening = listen([build_context(StorageCommitmentPushModel)])
    with RawPeer(listening.port) as peer:
        assert peer.associate(contexts=(build_context(StorageCommitmentPushModel),)) == A_ASSOCIATE_AC
        element = b"\x00\x00\x00\x08\x02\x00\x00\x00"  # (0000,0800) Command Data Set Type
        announced = REPORT.replace(element + b"\x01\x01", element + b"\x00\x00")
        assert announced != REPORT
        peer.send(announced)
        peer.send(p_data(bytes(1 << 12), last=False) * 17)
        assert peer.closed()
    wait_for(lambda: listening.associations == 0)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_upstream_stumbles_over_costs_one_association(listen, monkeypatch, capsys):
    listening = listen()

    def stumble(_acse):
        raise IndexError("list index out of range")

    with monkeypatch.context() as patched:
        patched.setattr(acse.ACSE, "negotiate_association", stumble)
        with RawPeer(listening.port) as peer:
            peer.send(associate_rq())
            assert peer.closed()
    wait_for(lambda: listening.associations == 0)
    assert "association given up" in capsys.readouterr().out
    with _establish(listening.port):
        pass


def test_the_end_waits_for_no_message_that_the_other_thread_has_taken(listen, monkeypatch):
    listening = listen()
    with _establish(listening.port):
        [association] = listening.server._server.active_associations
        # what a look says, when the other thread takes the message right after it
        monkeypatch.setattr(association.messages.msg_queue, "empty", lambda: False)
    wait_for(lambda: listening.associations == 0)


def test_a_command_does_not_grow_for_ever(listen):
    listening = listen()
    with _establish(listening.port) as peer:
        _send_until_cut_off(peer, [p_data(bytes(16_000), command=True, last=False)] * 10_000)
    wait_for(lambda: listening.associations == 0)


ENDS = {
    "abort": lambda peer: peer.send(ABORT),
    "close": lambda peer: peer.socket.close(),
    "reset": lambda peer: (
        peer.socket.setsockopt(1, 13, struct.pack("ii", 1, 0)),  # SO_LINGER 0: closing sends RST
        peer.socket.close(),
    ),
    "release": lambda peer: peer.send(RELEASE_RQ),
    "command in between": lambda peer: peer.send(store_command("1.2.4")),
}


@pytest.mark.parametrize("end", ENDS)
def test_half_an_object_leaves_nothing_behind(quick, end):
    peer = _begin_store(quick.port)
    wait_for(lambda: quick.arriving)
    ENDS[end](peer)
    wait_for(lambda: quick.associations == 0 and not quick.arriving)
    assert quick.files == []
    peer.socket.close()


@pytest.mark.parametrize("sop_class", ["0.2.840.10008", "1.2.840.10008.5.1.4.1.1.2"])
def test_an_object_of_another_class_than_its_context_leaves_nothing_behind(listen, sop_class):
    listening = listen()
    image = mammogram(rows=16, columns=16)
    image.SOPClassUID = sop_class
    with _establish(listening.port) as peer:
        peer.send(store_command(image.SOPInstanceUID, sop_class), p_data(encoded(image)))
        assert peer.receive()[0] in (P_DATA_TF, A_ABORT)
    wait_for(lambda: listening.associations == 0 and not listening.arriving)
    assert listening.files == []


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
    with _establish(listening.port) as peer:
        peer.send(one * 60)
        answers = 0
        while answers < 60:
            assert peer.receive()[0] == P_DATA_TF
            answers += 1
            assert len(listening.arriving) <= 16
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
    with _establish(listening.port) as peer:
        peer.send(struct.pack(">BxL", P_DATA_TF, len(both)) + both)
        assert peer.receive()[0] == P_DATA_TF
    assert len(listening.files) == 1


def test_too_many_associations_are_rejected_with_the_reason(listen):
    listening = listen(maximum_associations=2)
    held = [_establish(listening.port) for _ in range(2)]
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
        with _establish(listening.port) as peer:
            peer.send(RELEASE_RQ)
            assert peer.receive()[0] == 6
        with _begin_store(listening.port) as peer:
            peer.send(ABORT)
        wait_for(lambda: listening.associations == 0)

    once()
    wait_for(lambda: listening.associations == 0)
    threads, descriptors = threading.active_count(), process.num_fds()
    for _ in range(10):
        once()
    wait_for(lambda: threading.active_count() <= threads and process.num_fds() <= descriptors)
