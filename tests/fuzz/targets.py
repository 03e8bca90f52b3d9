"""What is fuzzed, one function each: bytes in, nothing out; any exception is a finding.

`association` and `conversation` drive the listener's own classes through a whole association without threads, with
bytes as they are and with moves that are nearly right; `data_set` the parser and the spool, `image` the header rules
and the decoders.
"""

import socket
import struct
import tempfile
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

from conversation import SEEDS as CONVERSATIONS
from conversation import TRANSACTION, said
from pydicom.dataset import Dataset
from pydicom.uid import JPEGExtended12Bit
from pynetdicom import evt
from pynetdicom.fsm import InvalidEventError
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import build_context

from config.destinations import Destination
from config.listener import Listener
from config.settings import Settings
from inference.case import EligibilityPolicy
from inference.eligibility import judge_study
from inference.errors import InferenceError
from inference.pixels import read_grey
from peers.raw_peer import associate_rq, p_data, store_command
from phantoms.encoding import TRANSFER_SYNTAXES as ENCODED
from phantoms.encoding import encoded
from phantoms.mammogram import mammogram
from scp.commitment_services import services
from scp.contexts import TRANSFER_SYNTAXES
from scp.hardening import PeerAssociation, PeerRequestHandler
from scp.identity import identify
from scp.incoming import RefusedInstanceError, Sender, inflate, stored_syntax
from scp.instances import read_header
from scp.server import StorageServer
from scp.spool import UID, Spool

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
SENDER = Sender("FUZZ", "127.0.0.1", "MAMMONODE")
POLICY = EligibilityPolicy(
    for_processing=True, synthesised_2d=True, implants=True, secondary_capture=True, male_or_minor=True,
    burned_in_annotation=True, prior_days=None, today=date(2026, 1, 1),
)  # fmt: skip
CONTEXTS = tuple(build_context(MAMMOGRAM, syntax) for syntax in TRANSFER_SYNTAXES)
PLACE = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
"""In memory where that is possible; removed at exit."""

PREFIXES = (
    b"",
    associate_rq(contexts=CONTEXTS),
    associate_rq(contexts=CONTEXTS) + store_command("1.2.3"),
)


@cache
def _listener() -> tuple[StorageServer, Spool]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = Listener(bind="127.0.0.1", port=port, free_space=0, maximum_dataset=1 << 22,
                        network_timeout=2, associations_per_minute=10**6, maximum_associations=10**6,
                        commitment=True)  # fmt: skip
    archive = Destination(name="archive", ae_title="ARCHIVE", host="127.0.0.1", port=104, commitment=True)
    settings = Settings(listener=listener, destinations=(archive,), node={"folder": Path(PLACE.name)})
    contexts, handlers = services(settings)
    (Path(PLACE.name) / "commitment" / "transactions" / f"{TRANSACTION}.json").write_text("{}")
    spool = Spool(Path(PLACE.name) / "spool", limit=1 << 22)
    return StorageServer(listener, spool, contexts, handlers), spool


def association(data: bytes) -> None:
    """The first byte chooses what a good peer has said before; the rest follows as it is."""
    if not data:
        return
    prefix, rest = PREFIXES[data[0] % len(PREFIXES)], data[1:]
    if data[0] & 0x40:  # the rest as P-DATA values, so that fuzzing gets behind the lengths
        rest = b"".join(p_data(piece, command=bool(data[0] & 0x80)) for piece in rest.split(b"\n\n"))
    _talk((prefix + rest)[: 1 << 16])


def conversation(data: bytes) -> None:
    """Each byte is a move of a peer that knows the protocol and does not keep to it."""
    _talk(said(data)[: 1 << 16])


def _talk(sent: bytes) -> None:
    server, spool = _listener()
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as peer,
    ):
        accepted, address = listening.accept()
        accepted.settimeout(2)
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        _drive(server, accepted, address)
        _check_answers(peer)
    _check_files(spool)


def _check_answers(peer: socket.socket) -> None:
    """What the listener has said are PDUs of an acceptor, to the last byte."""
    peer.settimeout(2)
    answer = bytearray()
    try:
        while piece := peer.recv(1 << 16):
            answer += piece
    except ConnectionResetError:  # what it had not read when it closed
        return
    while answer:
        kind, length = struct.unpack_from(">BxL", answer)
        assert kind in (2, 3, 4, 5, 6, 7), answer
        assert len(answer) >= 6 + length, answer
        del answer[: 6 + length]


def _check_files(spool: Spool) -> None:
    """Nothing half-received is left, and nothing lies where it does not belong."""
    left = list(spool.incoming.iterdir())
    assert not left, left
    assert {path.name for path in Path(PLACE.name).iterdir()} == {"spool", "commitment"}
    assert {path.name for path in spool.folder.iterdir()} == {"incoming", "studies", "inbox"}
    for folder in [*spool.studies.iterdir()]:
        assert UID.fullmatch(folder.name), folder
        spool.remove(folder.name, [version.path.name for version in spool.versions(folder.name)])
        (spool.inbox / folder.name).unlink(missing_ok=True)
    for place in ("requests", "reports", "arrived"):
        for file in (spool.folder.parent / "commitment" / place).iterdir():
            file.unlink()


def _drive(server: StorageServer, accepted: socket.socket, address: tuple[str, int]) -> None:
    handler = PeerRequestHandler.__new__(PeerRequestHandler)
    handler.request, handler.client_address, handler.server = accepted, address, server._server
    server.connect(address[0])
    peer: PeerAssociation = handler._create_association()  # type: ignore[assignment]
    peer.dul.state_machine.do_action(peer.dul.event_queue.get(False))
    try:
        for _ in range(100_000):
            if peer.dul.state_machine.current_state == "Sta1":
                return
            _turn(peer)
        raise AssertionError("the association does not end")
    except InvalidEventError:  # ends the association, see scp.pdus
        return
    finally:
        peer.messages.discard()
        peer.connection.close()
        peer.connection.release()
        server.disconnect(id(peer))


def _turn(peer: PeerAssociation) -> None:
    """What the two threads of an association do, in turn."""
    if not peer.dul.event_queue.empty():
        peer.dul.state_machine.do_action(peer.dul.event_queue.get(False))
    elif isinstance(peer.dul.peek_next_pdu(), A_ASSOCIATE):
        peer.requestor.primitive = peer.dul.to_user_queue.get()
        evt.trigger(peer, evt.EVT_REQUESTED, {})
        if not peer.is_rejected:
            peer.acse.negotiate_association()
    elif not peer.messages.msg_queue.empty():
        context_id, message = peer.messages.msg_queue.get()
        if message is not None:
            peer._serve_request(message, context_id)
    elif peer.is_established and peer.acse.is_release_requested():
        peer.acse.send_release(is_response=True)
    elif not peer.dul._process_recv_primitive():
        peer.dul._is_transport_event()


def data_set(data: bytes) -> None:
    """The first byte chooses the transfer syntax; the rest is a data set as it comes off the network."""
    if not data:
        return
    _, spool = _listener()
    syntax = TRANSFER_SYNTAXES[data[0] % len(TRANSFER_SYNTAXES)]
    with spool.begin() as received, spool.begin() as inflated:
        received.write_preamble(MAMMOGRAM, "1.2.3", syntax, SENDER)
        received.write(data[1:])
        try:
            incoming = received
            if stored_syntax(syntax) != syntax:
                inflated.write_preamble(MAMMOGRAM, "1.2.3", stored_syntax(syntax), SENDER)
                inflate(received.path, received.offset, inflated)
                incoming = inflated
            header = read_header(incoming.path, incoming.offset, stored_syntax(syntax))
            study = header.StudyInstanceUID
            kept = spool.store(incoming, header)
        except RefusedInstanceError:
            return
    if kept is not None:
        identify(kept)
        spool.remove(study, [version.path.name for version in spool.versions(study)])
        (spool.inbox / study).unlink()


def image(data: bytes) -> None:
    """The first byte chooses the transfer syntax; the rest is a data set that is judged and decoded."""
    if not data:
        return
    syntax = stored_syntax(TRANSFER_SYNTAXES[data[0] % len(TRANSFER_SYNTAXES)])
    _, spool = _listener()
    with spool.begin() as incoming:
        incoming.write_preamble(MAMMOGRAM, "1.2.3", syntax, SENDER)
        incoming.write(data[1:])
        try:
            header = read_header(incoming.path, incoming.offset, syntax)
        except RefusedInstanceError:
            return
        judge_study([header], POLICY)
        try:
            read_grey(incoming.path, memory=1 << 26)
        except InferenceError:
            return


TARGETS: dict[str, Callable[[bytes], None]] = {
    "association": association, "conversation": conversation, "data_set": data_set, "image": image,
}  # fmt: skip


def seeds(target: str) -> list[bytes]:
    """Good inputs to begin with."""
    if target == "conversation":
        return list(CONVERSATIONS)
    if target == "association":
        plain = _content(mammogram(rows=16, columns=16, sop_uid="1.2.3"))
        return [b"\x00" + associate_rq(), b"\x00" + PREFIXES[2] + p_data(plain), b"\x02" + p_data(plain),
                b"\x42" + plain, b"\x01" + store_command("1.2.3") + p_data(plain) + b"\x05\0\0\0\0\4\0\0\0\0",
                b"\xc1" + store_command("1.2.3")[12:]]  # fmt: skip
    syntaxes = [(number, syntax) for number, syntax in enumerate(TRANSFER_SYNTAXES) if syntax in ENCODED]
    return [bytes([number]) + _content(_small(syntax)) for number, syntax in syntaxes]


def _small(syntax: str) -> Dataset:
    return encoded(mammogram(rows=16, columns=16, bits=12 if syntax == JPEGExtended12Bit else 8), syntax)


def _content(ds: Dataset) -> bytes:
    """The bytes behind the file meta information."""
    with tempfile.NamedTemporaryFile() as file:
        ds.save_as(file.name, enforce_file_format=True)
        whole = Path(file.name).read_bytes()
    return whole[144 + struct.unpack_from("<I", whole, 140)[0] :]
