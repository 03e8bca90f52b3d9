"""The page on a free port of loopback, in a thread of the test's process, and a client for it."""

import socket
import ssl
import threading
import time

import httpx

from phantoms.web_node import WebNode
from scp.web.app import create_app
from scp.web.server import web_server


class LivePage:
    """Serves from `start` until `stop`."""

    def __init__(self, node: WebNode) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http{'s' if node.settings.web.tls.enabled else ''}://127.0.0.1:{self.port}"
        app = create_app(node.settings, node.journal, node.spool, node.results)
        self._server = web_server(node.settings, app)
        self._server.config.timeout_graceful_shutdown = 1
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def start(self) -> "LivePage":
        """Return when it answers."""
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert self._thread.is_alive()
            assert time.monotonic() < deadline
            self._thread.join(0.01)
        return self

    def stop(self) -> None:
        """Return when its thread has ended."""
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()
        assert not self._thread.is_alive()


class Client(httpx.Client):
    """Sends the page's CSRF token as the page's own scripts do."""

    def __init__(self, url: str, verify: ssl.SSLContext | bool = True) -> None:
        super().__init__(base_url=url, timeout=60, verify=verify)

    def log_in(self, name: str, password: str) -> None:
        """Open a session, as a browser does."""
        answer = self.post("/login", data={"name": name, "password": password})
        assert answer.status_code == 303, answer.text
        self.take_token()

    def take_token(self) -> None:
        """Read the token from a page."""
        self.headers["X-CSRF-Token"] = self.get("/upload").text.split('name="csrf-token" content="')[1].split('"')[0]
