"""Clients that stop in the middle of a request."""

import socket
from urllib.parse import urlsplit

import pytest

from scp.web import patience

HALF = {
    "nothing": b"",
    "half a header": b"GET /healthz HTTP/1.1\r\nHost: 127.0",
    "half a body": b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nname=",
    "a second request cut off": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /hea",
}


@pytest.mark.parametrize("half", HALF)
def test_a_client_that_stops_is_given_up(node, serve, monkeypatch, half) -> None:
    monkeypatch.setattr(patience, "WAIT", 0.5)
    place = urlsplit(serve(node))
    with socket.create_connection((place.hostname, place.port), timeout=30) as client:
        client.sendall(HALF[half])
        answer = b""
        try:
            while piece := client.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
    assert (b"200 OK" in answer) is half.startswith("a second")
