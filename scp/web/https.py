"""The page over TLS: the profile and the changing certificates of the DICOM side, and a word to plain HTTP.

uvicorn would cut off whoever speaks HTTP to this port, so connections are accepted here and handed to it.
"""

import asyncio
import socket

import structlog
import uvicorn

from scp.tls import TlsContext
from scp.web import texts

log = structlog.get_logger(__name__)

HANDSHAKE = b"\x16"
"""The first byte of a TLS client (RFC 8446 5.1: content type 22)."""
HANDSHAKE_SECONDS = 20.0
RETRY_SECONDS = 1.0
"""After which connections are accepted again when the process had no file handle left."""


class HttpsServer(uvicorn.Server):
    """A uvicorn.Server, each of whose connections gets the certificate as it is then."""

    def __init__(self, config: uvicorn.Config, tls: TlsContext) -> None:
        super().__init__(config)
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. Exits the process when the port is taken, as uvicorn does."""
        await super().startup(sockets=[])
        # uvicorn closes these at its shutdown as it does asyncio's own
        self.servers = [_Port(one, self) for one in sockets or [self.config.bind_socket()]]  # type: ignore[misc]

    async def take(self, connection: socket.socket) -> None:
        """Give a new connection to uvicorn, or answer a client that speaks no TLS."""
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                if await _first_byte(connection) == HANDSHAKE:
                    await asyncio.get_running_loop().connect_accepted_socket(
                        self._protocol, connection, ssl=self._tls.current()
                    )
                else:
                    await _refuse(connection)
        except OSError:  # silent too long, gone, or no handshake: asyncio and ssl raise kinds of OSError alone
            connection.close()

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


class _Port:
    """Accepts until it is closed."""

    def __init__(self, listening: socket.socket, server: HttpsServer) -> None:
        self._socket = listening
        self._socket.setblocking(False)
        self._socket.listen(server.config.backlog)
        self._server = server
        self._greeted: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(self._socket)
            except OSError as error:
                log.warning("the page cannot accept a connection", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            task = asyncio.create_task(self._server.take(connection))
            self._greeted.add(task)  # the loop itself keeps no task alive
            task.add_done_callback(self._greeted.discard)

    def close(self) -> None:
        """Accept no more."""
        self._accepting.cancel()
        for task in self._greeted:
            task.cancel()

    async def wait_closed(self) -> None:
        """Return when nothing is accepted any more."""
        await asyncio.wait([self._accepting])
        self._socket.close()


async def _first_byte(connection: socket.socket) -> bytes:
    """Wait for it, and leave it where it is."""
    connection.setblocking(False)
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


async def _refuse(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    words = texts.HTTPS_ONLY.encode()
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {len(words)}\r\n"
    await loop.sock_recv(connection, 1 << 16)  # what is not read would make the system cut the answer off
    await loop.sock_sendall(connection, head.encode() + b"Connection: close\r\n\r\n" + words)
    connection.close()
