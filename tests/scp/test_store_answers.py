"""The short way to a C-STORE's Success says byte for byte what pynetdicom would."""

import hashlib
import inspect

import pytest
from pynetdicom import dimse, dimse_messages
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE

from scp.store_answers import success_fragment

UPSTREAM = {
    dimse.DIMSEServiceProvider.send_msg: "a839cf2fb46976d9",
    dimse_messages.DIMSEMessage.encode_msg: "73000c902c52832d",
}


@pytest.mark.parametrize("function", UPSTREAM, ids=lambda function: function.__qualname__)
def test_upstream_is_what_was_read(function):
    assert hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16] == UPSTREAM[function]


def answer(status=0x0000, sop_instance="1.2.3", answered=7):
    primitive = C_STORE()
    primitive.MessageID = primitive.MessageIDBeingRespondedTo = answered
    primitive.AffectedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    primitive.AffectedSOPInstanceUID = sop_instance
    primitive.Status = status
    return primitive


@pytest.mark.parametrize("sop_instance", ["1.2.3", "1.2.34", "2.25." + "9" * 39, "1." + "2" * 62])
@pytest.mark.parametrize("answered", [0, 1, 65535])
def test_the_short_way_says_the_same(sop_instance, answered):
    primitive = answer(sop_instance=sop_instance, answered=answered)
    message = C_STORE_RSP()
    message.primitive_to_message(primitive)
    (fragment,) = [item.presentation_data_value_list[0][1] for item in message.encode_msg(1, 16384)]
    assert success_fragment(primitive, 16384) == success_fragment(primitive, 0) == fragment


@pytest.mark.parametrize(
    "primitive", [answer(status=0xA700), answer(status=0xB000), answer(sop_instance=None), answer(answered=None)]
)
def test_anything_else_goes_upstreams_way(primitive):
    assert success_fragment(primitive, 16384) is None


def test_a_peer_with_tiny_pdus_goes_upstreams_way():
    assert success_fragment(answer(), 64) is None
