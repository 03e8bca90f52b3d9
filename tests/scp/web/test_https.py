"""The page over HTTPS: httpx and a browser as clients, certificates of several kinds, and a peer of plain HTTP."""

import shutil
import socket
import ssl

import httpx
import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Error
from pydantic import ValidationError

from config.operation import Web
from peers.certificates import Authority
from peers.live_page import Client
from scp.web import texts

USER = {"name": "ruth", "password_hash": PasswordHasher(1, 8, 1).hash("reading room"), "role": "operator"}


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ca")


@pytest.fixture
def secure(make_node, serve, authority):
    """Serves the page with a certificate of the authority; returns its address."""

    def start(days=1, **web):
        own = authority.issue("page", days=days)
        return serve(make_node(web={"certificate": own.certificate, "private_key": own.private_key, **web}))

    return start


def trusting(authority):
    return ssl.create_default_context(cafile=authority.file)


def test_a_client_that_trusts_the_authority_is_served(secure, authority):
    with Client(secure(users=[USER]), verify=trusting(authority)) as client:
        client.log_in("ruth", "reading room")
        answer = client.get("/api/studies")
        assert (answer.status_code, answer.json()["studies"]) == (200, [])
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert all(cookie.secure for cookie in client.cookies.jar)
        stream = answer.extensions["network_stream"].get_extra_info("ssl_object")
        assert stream.version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("days", "ours", "complaint"), [(1, False, "unable to get local issuer"), (-1, True, "expired")]
)
def test_a_client_refuses_a_wrong_certificate(secure, authority, tmp_path, days, ours, complaint):
    trusted = authority if ours else Authority(tmp_path / "another", "Another CA")
    url = secure(days=days)
    with pytest.raises(httpx.ConnectError, match=complaint):
        httpx.get(url, verify=trusting(trusted))


def test_a_browser_warns_of_an_unknown_authority_and_works_once_told_to(secure, chromium):
    url = secure(users=[USER])
    context = chromium.new_context()
    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        context.new_page().goto(url)
    context.close()
    context = chromium.new_context(base_url=url, ignore_https_errors=True)
    tab = context.new_page()
    tab.goto("/")
    tab.get_by_label(texts.LOGIN_NAME).fill("ruth")
    tab.get_by_label(texts.LOGIN_SECRET).fill("reading room")
    tab.get_by_role("button", name=texts.LOGIN_BUTTON).click()
    tab.get_by_role("link", name=texts.NAV_NODE, exact=True).click()
    tab.wait_for_url("**/node")
    context.close()


def test_plain_http_is_told_so(secure):
    answer = httpx.get(secure().replace("https", "http"))
    assert (answer.status_code, answer.text) == (400, texts.HTTPS_ONLY)


def test_old_protocols_silence_and_rubbish_keep_nobody_out(secure, authority):
    url = secure()
    port = httpx.URL(url).port
    peers = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for peer in peers[:10]:
        peer.sendall(b"\x16rubbish")
    old = trusting(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="127.0.0.1")
    assert httpx.get(f"{url}/healthz", verify=trusting(authority)).status_code == 200
    for peer in peers:
        peer.close()


def test_a_renewed_certificate_is_used_without_a_restart(secure, authority):
    url = secure(days=-1)
    renewed = authority.issue("renewed")
    for new, used in ((renewed.certificate, "page.crt"), (renewed.private_key, "page.key")):
        shutil.copy(new, new.with_name(used))
    assert httpx.get(f"{url}/healthz", verify=trusting(authority)).status_code == 200


def test_half_a_certificate_is_no_setting(tmp_path):
    with pytest.raises(ValidationError, match="set certificate and private_key"):
        Web(certificate=tmp_path / "page.crt")
