"""Who may associate: every rule, with the clock in our hands; and the TOML that would admit a peer."""

import tomllib

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from config.listener import Listener, Peer
from peers.dcmtk import storescu
from peers.modality import associate
from phantoms.mammogram import mammogram, write_study
from scp.admission import REMEMBERED_ADDRESSES, SPARE_CONNECTIONS, Admission, Request, admitting

LOOPBACK = Request("MAMMONODE", "MODALITY", "127.0.0.1")
ROOM = Peer(ae_title="ROOM1", address="10.1.0.0/16", maximum_associations=2)
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")


def _judge(request, **settings):
    rejection = Admission(Listener(**settings)).judge(request, 1)
    return rejection and rejection[:3]


@pytest.mark.parametrize(
    ("request_", "settings", "answer"),
    [
        (LOOPBACK, {}, None),
        (LOOPBACK._replace(address="::1"), {}, None),
        (LOOPBACK._replace(address="::ffff:127.0.0.1"), {}, None),
        (LOOPBACK, {"open_on_loopback": False}, (1, 1, 3)),
        (LOOPBACK._replace(called_ae_title="OTHER"), {}, (1, 1, 7)),
        (LOOPBACK._replace(called_ae_title="mammonode"), {}, (1, 1, 7)),
        (LOOPBACK._replace(calling_ae_title=""), {}, (1, 1, 3)),
        (LOOPBACK._replace(calling_ae_title="A\\B"), {}, (1, 1, 3)),
        (LOOPBACK._replace(calling_ae_title="A\nB"), {}, (1, 1, 3)),
        (LOOPBACK._replace(address="10.1.2.3"), {}, (1, 1, 3)),
        (Request("MAMMONODE", "ROOM1", "10.1.2.3"), {"peers": (ROOM,)}, None),
        (Request("MAMMONODE", "ROOM1", "::ffff:10.1.2.3"), {"peers": (ROOM,)}, None),
        (Request("MAMMONODE", "ROOM1", "10.2.2.3"), {"peers": (ROOM,)}, (1, 1, 3)),
        (Request("MAMMONODE", "ROOM2", "10.1.2.3"), {"peers": (ROOM,)}, (1, 1, 3)),
        (Request("MAMMONODE", "ROOM1", "fe80::1%eth0"), {"peers": (ROOM,)}, (1, 1, 3)),
    ],
)
def test_titles_and_addresses(request_, settings, answer):
    assert _judge(request_, **settings) == answer


def test_a_peer_listed_at_two_addresses():
    peers = (Peer(ae_title="PACS", address="10.0.0.1"), Peer(ae_title="PACS", address="10.0.0.2"))
    for address in ("10.0.0.1", "10.0.0.2"):
        assert _judge(Request("MAMMONODE", "PACS", address), peers=peers) is None


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        (("radiology", "secret"), None),
        (("radiology", "wrong"), (1, 1, 1)),
        (("other", "secret"), (1, 1, 1)),
        (None, (1, 1, 1)),
    ],
)
def test_user_identity(user, answer):
    peer = Peer(ae_title="MODALITY", address="127.0.0.1", username="radiology", password_hash=HASH)
    # the entry's demands hold on loopback too, though that is open to others
    assert _judge(LOOPBACK._replace(user=user), peers=(peer,)) == answer


def test_user_name_without_a_password():
    peer = Peer(ae_title="MODALITY", address="127.0.0.1", username="radiology")
    assert _judge(LOOPBACK._replace(user=("radiology", "")), peers=(peer,)) is None
    assert _judge(LOOPBACK._replace(user=("x", "")), peers=(peer,)) == (1, 1, 1)


def test_a_damaged_hash_admits_nobody():
    peer = Peer(ae_title="MODALITY", address="127.0.0.1", username="radiology", password_hash=HASH[:-1])
    assert _judge(LOOPBACK._replace(user=("radiology", "secret")), peers=(peer,)) == (1, 1, 1)


def test_associations_at_once_in_all_and_of_a_peer():
    admission = Admission(Listener(maximum_associations=3, peers=(ROOM,)))
    room = Request("MAMMONODE", "ROOM1", "10.1.2.3")
    assert [admission.judge(room, key) and admission.judge(room, key)[:3] for key in (1, 2, 3)] == [
        None,
        None,
        (2, 3, 2),
    ]
    assert admission.judge(LOOPBACK, 4) is None
    assert admission.judge(LOOPBACK, 5)[:3] == (2, 3, 2)
    admission.disconnect(1)
    assert admission.judge(LOOPBACK, 5) is None


def test_associations_a_minute():
    now = [0.0]
    admission = Admission(Listener(associations_per_minute=2), lambda: now[0])
    for key in (1, 2):
        assert admission.connect("127.0.0.1")
        assert admission.judge(LOOPBACK, key) is None
    assert admission.connect("127.0.0.1")
    assert admission.judge(LOOPBACK, 3)[:3] == (2, 3, 1)
    # other addresses do not suffer
    assert admission.connect("::1")
    assert admission.judge(LOOPBACK._replace(address="::1"), 4) is None
    # and a flood is not even heard
    assert admission.connect("127.0.0.1")
    assert not admission.connect("127.0.0.1")
    now[0] = 61.0
    assert admission.connect("127.0.0.1")
    assert admission.judge(LOOPBACK, 5) is None


def test_connections_at_once():
    admission = Admission(Listener(maximum_associations=1))
    assert all(admission.connect("127.0.0.1") for _ in range(1 + SPARE_CONNECTIONS))
    assert not admission.connect("127.0.0.1")
    admission.disconnect(0)
    assert admission.connect("127.0.0.1")


def test_addresses_are_forgotten():
    now = [0.0]
    admission = Admission(Listener(), lambda: now[0])
    for number in range(2 * REMEMBERED_ADDRESSES):
        admission.connect(f"2001:db8::{number:x}")
        now[0] += 0.1
    assert len(admission._recent) <= REMEMBERED_ADDRESSES + 1


@given(
    title=st.text(
        st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16
    )
)
def test_the_toml_in_the_log_admits_the_peer(title):
    request = Request("MAMMONODE", title.strip() or "X", "10.7.8.9")
    listed = tomllib.loads(admitting(request))["listener"]["peers"]
    assert Admission(Listener(peers=listed)).judge(request, 1) is None


def test_a_rejected_peer_is_logged_with_the_toml_that_admits_it(listen, capsys):
    listening = listen(open_on_loopback=False)
    assert associate(listening.port).is_rejected
    said = capsys.readouterr().out
    lines = said[said.index("[[listener.peers]]") :].splitlines()
    # the console puts what else is known of the event behind the last line
    toml = "\n".join([lines[0], lines[1], lines[2].split()[0] + "=" + lines[2].split()[2]])
    peers = tomllib.loads(toml)["listener"]["peers"]
    assert Admission(Listener(open_on_loopback=False, peers=peers)).judge(LOOPBACK, 1) is None


def test_dcmtk_with_user_name_and_password(listen, tmp_path):
    peer = {"ae_title": "MODALITY", "address": "127.0.0.1", "username": "radiology", "password_hash": HASH}
    port = listen(peers=[peer]).port
    files = write_study(tmp_path, [mammogram(rows=16, columns=16)])
    assert storescu(port, files, "-usr", "radiology", "-pwd", "secret", "-rsp").returncode == 0
    assert storescu(port, files, "-usr", "radiology", "-pwd", "secret").returncode == 0
    assert storescu(port, files, "-usr", "radiology", "-pwd", "wrong").returncode != 0
    assert storescu(port, files).returncode != 0
