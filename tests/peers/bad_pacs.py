"""Destinations as they are on a bad day. Each is a TCP server on loopback, ended with its `with`."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, AllStoragePresentationContexts, evt


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that answers no SYN: its queue of connections is full, and nobody takes one."""
    with socket.socket() as listener, contextlib.ExitStack() as taken:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:
            one = taken.enter_context(socket.socket())
            one.settimeout(0.2)
            try:
                one.connect(listener.getsockname())
            except TimeoutError:
                break
        yield int(listener.getsockname()[1])


@contextmanager
def refuses() -> Iterator[int]:
    """A port that is held, so that nobody else opens it, and refuses every connection."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextmanager
def silent() -> Iterator[int]:
    """Takes every connection, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@contextmanager
def pacs(port: int = 0, **handlers: Callable[[evt.Event], Any]) -> Iterator[int]:
    """An honest PACS, but for what `handlers` do instead, by name of their event (EVT_C_STORE, …); `port` 0: any."""
    ae = AE(ae_title="PACS")
    ae.supported_contexts = AllStoragePresentationContexts
    known = {"EVT_C_STORE": lambda _event: 0x0000, **handlers}
    bound = [(getattr(evt, name), handler) for name, handler in known.items()]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=bound)  # type: ignore[arg-type]
    try:
        yield int(server.server_address[1])
    finally:
        for association in server.active_associations:
            association.abort()
        server.shutdown()


@contextmanager
def answers_nothing() -> Iterator[int]:
    """Accepts the association and takes the object, but says nothing to it."""
    released = threading.Event()
    with pacs(EVT_C_STORE=lambda _event: released.wait(60) and 0x0110) as port:
        yield port
        released.set()


@contextmanager
def stops_reading() -> Iterator[int]:
    """Accepts the association, and reads no byte after it: the sender's window fills."""
    released = threading.Event()

    def stop(event: evt.Event) -> None:
        event.assoc.dul.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        event.assoc.bind(evt.EVT_DATA_RECV, lambda _event: released.wait(60))

    with pacs(EVT_ACCEPTED=stop) as port:
        yield port
        released.set()


@contextmanager
def aborts() -> Iterator[int]:
    """Aborts in the middle of the first object."""

    def abort(event: evt.Event) -> None:
        if len(event.data) > 500 and event.data[:1] == b"\x04":
            event.assoc.abort(block=False)

    with pacs(EVT_DATA_RECV=abort) as port:
        yield port


@contextmanager
def closes() -> Iterator[int]:
    """Closes the connection after each object, without a word."""

    def close(event: evt.Event) -> int:
        timer = threading.Timer(0.05, event.assoc.dul.socket.close)
        timer.daemon = True
        timer.start()
        return 0x0000

    with pacs(EVT_C_STORE=close) as port:
        yield port


@contextmanager
def slowly(to: int, bytes_a_second: float) -> Iterator[int]:
    """A link to a port of loopback that carries so much, with small buffers at both ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        threading.Thread(target=_relay, args=(listener, to, bytes_a_second), daemon=True).start()
        yield int(listener.getsockname()[1])


def _relay(listener: socket.socket, to: int, bytes_a_second: float) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:  # the test is over
            return
        far = socket.create_connection(("127.0.0.1", to))
        for one, other, pace in ((near, far, bytes_a_second), (far, near, 1e9)):
            threading.Thread(target=_carry, args=(one, other, pace), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket, bytes_a_second: float) -> None:
    with contextlib.suppress(OSError):
        while piece := one.recv(16384):
            other.sendall(piece)
            time.sleep(len(piece) / bytes_a_second)
        other.shutdown(socket.SHUT_WR)
