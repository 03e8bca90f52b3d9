"""TLS both ways: who is let in, who is not and what the log says; certificates that change; peers that stall."""

import contextlib
import socket
import ssl
import time

import pytest
from pydicom import dcmread
from pynetdicom.ae import ApplicationEntity
from pynetdicom.sop_class import Verification

from config.listener import Tls
from peers.certificates import Authority
from peers.dcmtk import echoscu, storescu
from peers.modality import associate, send
from peers.orthanc import Orthanc
from peers.raw_peer import A_ABORT, A_ASSOCIATE_AC, RawPeer, associate_rq
from peers.waiting import wait_for
from phantoms.mammogram import mammogram, write_study
from scp.tls import TlsContext, client_context, server_context


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def node(authority):
    return authority.issue("node")


@pytest.fixture(scope="module")
def modality(authority):
    return authority.issue("modality")


@pytest.fixture
def listen_with_tls(listen, authority, node):
    def start(*, require_client_certificate=True, **settings):
        tls = {
            "enabled": True,
            "certificate": node.certificate,
            "private_key": node.private_key,
            "trusted": authority.file,
            "require_client_certificate": require_client_certificate,
        }
        return listen(tls=tls, **settings)

    return start


def _client(trusted, issued=None):
    return client_context(
        Tls(
            enabled=issued is not None,
            trusted=trusted,
            certificate=issued and issued.certificate,
            private_key=issued and issued.private_key,
            require_client_certificate=False,
        )
    )


def _refused(port, context):
    """With TLS 1.3 the client learns of it only when it reads."""
    with RawPeer(port) as peer:
        try:
            peer.socket = context.wrap_socket(peer.socket)
            peer.send(associate_rq())
            return peer.socket.recv(1) == b""
        except OSError:
            return True


def _established(port, context):
    association = associate(port, tls_args=(context, "localhost"))
    if association.is_established:
        association.release()
        return True
    return False


def test_mutual_authentication(listen_with_tls, authority, modality):
    assert _established(listen_with_tls().port, _client(authority.file, modality))


def test_dcmtk_sends_over_mutual_tls(listen_with_tls, authority, modality, tmp_path):
    listening = listen_with_tls()
    options = ["--enable-tls", str(modality.private_key), str(modality.certificate), "--add-cert-file"]
    files = write_study(tmp_path / "study", rows=512, columns=400)
    sent = storescu(listening.port, files, *options, str(authority.file))
    assert sent.returncode == 0, sent.stderr
    assert len(listening.files) == 4


def test_wrong_ca(listen_with_tls, authority, tmp_path, capsys):
    other = Authority(tmp_path, "Other CA").issue("stranger")
    listening = listen_with_tls()
    assert _refused(listening.port, _client(authority.file, other))
    wait_for(lambda: "the peer's certificate is not accepted" in _said(capsys))
    assert "unable to get local issuer certificate" in _said(capsys)


def test_expired(listen_with_tls, authority, capsys):
    listening = listen_with_tls()
    assert _refused(listening.port, _client(authority.file, authority.issue("old", days=-1)))
    wait_for(lambda: "the peer's certificate is not accepted (certificate has expired)" in _said(capsys))


def test_no_client_certificate(listen_with_tls, authority, capsys):
    listening = listen_with_tls()
    assert _refused(listening.port, _client(authority.file))
    wait_for(lambda: "TLS: peer did not return a certificate" in _said(capsys))


def test_no_client_certificate_where_none_is_demanded(listen_with_tls, authority):
    assert _established(listen_with_tls(require_client_certificate=False).port, _client(authority.file))


def test_plain_peer_on_the_tls_port(listen_with_tls, authority, modality, capsys):
    listening = listen_with_tls()
    assert echoscu(listening.port).returncode != 0
    wait_for(lambda: "connection refused" in _said(capsys))
    assert "TLS: wrong version number" in _said(capsys)
    assert _established(listening.port, _client(authority.file, modality))


def test_tls_peer_on_the_plain_port(listen, authority, capsys):
    listening = listen()
    with RawPeer(listening.port) as peer, pytest.raises(OSError, match=r"WRONG_VERSION_NUMBER|reset|EOF"):
        _client(authority.file).wrap_socket(peer.socket)
    assert echoscu(listening.port).returncode == 0
    assert "PDU of unknown type" in _said(capsys)


def test_old_protocols_are_refused(listen_with_tls, authority, modality):
    listening = listen_with_tls()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(authority.file)
    context.load_cert_chain(modality.certificate, modality.private_key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", listening.port)) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain)


def test_only_suites_with_forward_secrecy_and_authenticated_encryption(authority, node):
    tls = Tls(enabled=True, certificate=node.certificate, private_key=node.private_key, trusted=authority.file)
    for context in (server_context(tls), client_context(tls)):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        for suite in context.get_ciphers():
            assert suite["aead"], suite["name"]
            assert suite["protocol"] == "TLSv1.3" or suite["kea"] in ("kx-ecdhe", "kx-dhe")


@pytest.mark.alone
def test_peers_that_stall_in_the_handshake_keep_nobody_out(listen_with_tls, authority, modality):
    listening = listen_with_tls(network_timeout=1.0)
    silent = [RawPeer(listening.port) for _ in range(5)]
    silent[0].send(b"\x16\x03\x01")
    began = time.monotonic()
    assert _established(listening.port, _client(authority.file, modality))
    assert time.monotonic() - began < 1.0
    for peer in silent:
        assert peer.receive() == (0, b"")
        peer.socket.close()
    wait_for(lambda: listening.server._admission._connections <= 1)


def test_a_handshake_that_trickles_is_given_up(listen_with_tls):
    listening = listen_with_tls(network_timeout=0.5)
    hello = b"\x16\x03\x01\x02\x00" + bytes(500)
    with RawPeer(listening.port) as peer:
        taken = 0
        with contextlib.suppress(OSError):
            for byte in hello:
                peer.send(bytes([byte]))
                taken += 1
                time.sleep(0.02)
    assert taken < len(hello)
    wait_for(lambda: listening.server._admission._connections == 0)


def test_silent_after_the_handshake(listen_with_tls, authority, modality):
    listening = listen_with_tls(association_timeout=0.5)
    with RawPeer(listening.port) as peer:
        peer.socket = _client(authority.file, modality).wrap_socket(peer.socket)
        wait_for(lambda: listening.associations == 1)
        assert peer.closed()
    wait_for(lambda: listening.associations == 0)


def test_a_record_split_anywhere_is_one_pdu(listen_with_tls, authority, modality):
    listening = listen_with_tls()
    with RawPeer(listening.port) as peer:
        peer.socket = _client(authority.file, modality).wrap_socket(peer.socket)
        for byte in associate_rq():
            peer.send(bytes([byte]))
        assert peer.receive()[0] == A_ASSOCIATE_AC
        # two PDUs in one record: the second waits inside the TLS layer, where poll does not see it
        peer.send(b"\x05\x00\x00\x00\x00\x04" + bytes(4) + b"\x63" + bytes(9))
        assert peer.receive()[0] in (6, A_ABORT)


def test_certificates_are_read_again_when_they_change(listen, authority, modality, tmp_path, capsys):
    issued = authority.issue("changing")
    certificate, private_key = tmp_path / "node.crt", tmp_path / "node.key"
    certificate.write_bytes(issued.certificate.read_bytes())
    private_key.write_bytes(issued.private_key.read_bytes())
    listening = listen(
        tls={"enabled": True, "certificate": certificate, "private_key": private_key, "trusted": authority.file}
    )
    assert _presented(listening.port, authority, modality) == issued.certificate.read_text()
    renewed = authority.issue("renewed")
    # half-way through the change the pair does not fit: the old one stays
    certificate.write_bytes(renewed.certificate.read_bytes())
    assert _presented(listening.port, authority, modality) == issued.certificate.read_text()
    assert "changed TLS certificates cannot be read, the old ones stay" in _said(capsys)
    private_key.write_bytes(renewed.private_key.read_bytes())
    assert _presented(listening.port, authority, modality) == renewed.certificate.read_text()


def _presented(port, authority, modality):
    context = _client(authority.file, modality)
    with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain) as secured:
        return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True))


def test_files_that_are_missing_are_said_at_once(tmp_path):
    tls = Tls(enabled=True, certificate=tmp_path / "a", private_key=tmp_path / "b", trusted=tmp_path / "c")
    with pytest.raises(OSError, match="No such file"):
        TlsContext(tls, server_context)


def test_a_destination_with_a_certificate_of_another_ca_is_not_trusted(authority, node, tmp_path):
    destination = ApplicationEntity("PACS")
    destination.add_supported_context(Verification)
    tls = Tls(
        enabled=True, certificate=node.certificate, private_key=node.private_key, require_client_certificate=False
    )
    server = destination.start_server(("127.0.0.1", 0), block=False, ssl_context=server_context(tls))
    port = server.server_address[1]
    try:
        assert _established_as_destination(port, authority.file)
        assert not _established_as_destination(port, Authority(tmp_path, "Other CA").file)
    finally:
        server.shutdown()


def _established_as_destination(port, trusted):
    association = associate(port, called="PACS", tls_args=(_client(trusted), "127.0.0.1"))
    if association.is_established:
        association.release()
        return True
    return False


_HEARD = []


def _said(capsys):
    """Everything that was logged in this test so far."""
    _HEARD.append(capsys.readouterr().out)
    return "".join(_HEARD)


@pytest.fixture(autouse=True)
def _forget():
    _HEARD.clear()


def test_orthanc_both_ways_with_mutual_tls(listen_with_tls, authority, modality, tmp_path):
    listening = listen_with_tls()
    pacs = authority.issue("pacs")
    node = {"AET": "MAMMONODE", "Host": "127.0.0.1", "Port": listening.port, "UseDicomTls": True}
    orthanc = Orthanc(
        tmp_path / "orthanc",
        modalities={"NODE": node},
        settings={
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(pacs.certificate),
            "DicomTlsPrivateKey": str(pacs.private_key),
            "DicomTlsTrustedCertificates": str(authority.file),
            "DicomTlsRemoteCertificateRequired": True,
        },
    ).start()
    try:
        [file] = write_study(tmp_path / "study", [mammogram(rows=64, columns=48)])
        ds = dcmread(file)
        context = _client(authority.file, modality)
        [status] = send(orthanc.dicom_port, [ds], called="PACS", tls_args=(context, "127.0.0.1"))
        assert status.Status == 0x0000
        assert not associate(orthanc.dicom_port, called="PACS").is_established, "it demands TLS"
        [stored] = orthanc.instances()
        answer = orthanc.post("/modalities/NODE/store", {"Resources": [stored["ID"]], "Synchronous": True})
        assert answer["FailedInstancesCount"] == 0
    finally:
        orthanc.stop()
    [kept] = listening.files
    assert dcmread(kept).SOPInstanceUID == ds.SOPInstanceUID
