"""A watch on what scp.hardening, scp.pdus and scp.messages replace in pynetdicom, and on what they lean on."""

import hashlib
import inspect

import pynetdicom
import pytest
from pynetdicom import acse, association, dimse, dimse_messages, dul, fsm, transport

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
    dul.DULServiceProvider.idle_timer_expired: "0150c19fda68f6e9",
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
"""Hash of the source of each part that scp.hardening, scp.pdus and scp.messages stand in for or lean on."""


@pytest.mark.parametrize("function", UPSTREAM, ids=lambda function: function.__qualname__)
def test_upstream_is_what_was_read(function):
    assert pynetdicom.__version__ == "3.0.4"
    assert hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16] == UPSTREAM[function], (
        "pynetdicom has changed here: read it, adapt scp.hardening, scp.pdus and scp.messages, then change this hash"
    )
