"""Peers that stop, lie and flood in every state of the association."""

import socket
import struct
import time

import psutil
import pytest
from pynetdicom import acse
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from peers.raw_peer import (
    A_ABORT,
    A_ASSOCIATE_AC,
    ABORT,
    ECHO,
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
from scp.admission import SPARE_CONNECTIONS

QUICK = {"association_timeout": 0.6, "network_timeout": 0.6, "idle_timeout": 0.6, "dimse_timeout": 0.6}


@pytest.fixture
def quick(listen):
    """A listener whose timeouts are over soon."""
    return listen(**QUICK)


STALLS = {
    "silent after connecting": RawPeer,
    "half a PDU header": lambda port: _sent(RawPeer(port), b"\x01\x00\x00"),
    "half an A-ASSOCIATE-RQ": lambda port: _sent(RawPeer(port), associate_rq()[:100]),
    "silent once established": established,
    "half a PDU header once established": lambda port: _sent(established(port), b"\x04\x00\x00"),
    "half a P-DATA-TF": lambda port: _sent(established(port), store_command("1.2.3")[:40]),
    "command without a data set": lambda port: _sent(established(port), store_command("1.2.3")),
    "half a C-STORE": mid_store,
    "half a PDU in a C-STORE": lambda port: _sent(mid_store(port), p_data(bytes(1000))[:500]),
    "half a release": lambda port: _sent(established(port), RELEASE_RQ[:7]),
    "stays after it was rejected": lambda port: _sent(RawPeer(port), associate_rq(called="SOMEBODY")),
    "stays after its release": lambda port: _sent(established(port), RELEASE_RQ),
    "stays after it was aborted": lambda port: _sent(established(port), p_data(b"\0" * 8, command=True)),
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
    with established(quick.port) as peer:
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
    with mid_store(listening.port) as peer:
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
    "P-DATA-TF of 4 GiB": (established, b"\x04\x00\xff\xff\xff\xff"),
    "P-DATA-TF of 4 GiB before association": (None, b"\x04\x00\xff\xff\xff\xff"),
    "release of 4 GiB": (established, b"\x05\x00\xff\xff\xff\xff"),
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
    with established(quick.port) as peer:
        peer.send(NONSENSE[nonsense])
        assert peer.closed()
    wait_for(lambda: quick.associations == 0)
    with established(quick.port) as peer:
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
    with established(listening.port):
        pass


def test_the_end_waits_for_no_message_that_the_other_thread_has_taken(listen, monkeypatch):
    listening = listen()
    with established(listening.port):
        [association] = listening.server._server.active_associations
        # what a look says, when the other thread takes the message right after it
        monkeypatch.setattr(association.messages.msg_queue, "empty", lambda: False)
    wait_for(lambda: listening.associations == 0)


def test_a_command_does_not_grow_for_ever(listen):
    listening = listen()
    with established(listening.port) as peer:
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
    peer = mid_store(quick.port)
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
    with established(listening.port) as peer:
        peer.send(store_command(image.SOPInstanceUID, sop_class), p_data(encoded(image)))
        assert peer.receive()[0] in (P_DATA_TF, A_ABORT)
    wait_for(lambda: listening.associations == 0 and not listening.arriving)
    assert listening.files == []


COMMAND = store_command("1.2.3")
ODD = {
    # tag, length and value of an element of the command set, and what stands there instead
    "a priority that there is not": (b"\x00\x07\x02\x00\x00\x00\x02\x00", b"\x00\x07\x02\x00\x00\x00\x4d\x00"),
    "no message id": (b"\x10\x01\x02\x00\x00\x00\x01\x00", b"\x11\x01\x02\x00\x00\x00\x01\x00"),
    "no storage class": (b"1.2.840.10008.5.1.4.1.1.1.2\x00", b"1.2.840.10008.1.1\x00" + bytes(10)),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_command_that_cannot_be_served_aborts_and_leaves_nothing_behind(listen, odd):
    """Also when a whole data set has come with it; it is answered by no Success."""
    listening = listen()
    there, instead = ODD[odd]
    assert COMMAND.count(there) == 1
    with established(listening.port) as peer:
        peer.send(COMMAND.replace(there, instead), p_data(encoded(mammogram(rows=16, columns=16))))
        assert peer.receive()[0] == A_ABORT
    wait_for(lambda: listening.associations == 0 and not listening.arriving)
    assert listening.files == []


def test_a_store_without_a_data_set_on_a_context_that_was_not_accepted(listen):
    """The thread that reads the socket must not wait for its own end."""
    listening = listen()
    command = bytearray(COMMAND.replace(b"\x00\x08\x02\x00\x00\x00\x01\x00", b"\x00\x08\x02\x00\x00\x00\x01\x01"))
    command[10] = 99  # the presentation data value's context (PS3.8 table 9-23)
    for _ in range(3):
        with established(listening.port) as peer:
            peer.send(bytes(command))
            assert peer.receive()[0] == A_ABORT
    wait_for(lambda: listening.associations == 0)


def test_a_service_that_is_not_offered_gets_no_success(listen):
    """Upstream answers a C-FIND on a Verification context as if it were an echo."""
    listening = listen()
    find = ECHO.replace(b"\x00\x01\x02\x00\x00\x00\x30\x00", b"\x00\x01\x02\x00\x00\x00\x20\x00")
    assert find != ECHO
    with RawPeer(listening.port) as peer:
        assert peer.associate(contexts=(build_context("1.2.840.10008.1.1"),)) == A_ASSOCIATE_AC
        peer.send(find)
        assert peer.receive()[0] == A_ABORT
    wait_for(lambda: listening.associations == 0)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # which the node does not show either
def test_the_log_names_no_instance_that_may_be_a_patient(listen, capsys):
    listening = listen()
    with established(listening.port) as peer:
        peer.send(COMMAND.replace(b"1.2.3\x00", b"DOE^JA"), p_data(encoded(mammogram(rows=16, columns=16))))
        assert peer.receive()[0] == P_DATA_TF
    logged = capsys.readouterr().out
    assert "malformed" in logged
    assert "DOE" not in logged
