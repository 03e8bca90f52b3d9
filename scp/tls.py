"""TLS of the DICOM connections, after the BCP 195 profile (PS3.15 B.12): 1.2 or later, forward secrecy, AEAD."""

import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from config.listener import Tls

log = structlog.get_logger()

SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
"""RFC 9325 4.2, for TLS 1.2; those of 1.3 are all good."""


class TlsContext:
    """A context that follows its files: `current` makes a new one when certificate, key or CA have changed.

    Raises OSError or ssl.SSLError at construction if the files are missing or no PEM; later the old context stays.
    """

    def __init__(self, tls: Tls, make: Callable[[Tls], ssl.SSLContext]) -> None:
        self._tls = tls
        self._make = make
        self._lock = threading.Lock()
        self._seen = self._stamps()
        self._context = make(tls)

    def current(self) -> ssl.SSLContext:
        """The context for the next connection."""
        with self._lock:
            stamps = self._stamps()
            if stamps != self._seen:
                try:
                    self._context = self._make(self._tls)
                    log.info("TLS certificates read again")
                except (OSError, ssl.SSLError) as error:
                    log.warning("changed TLS certificates cannot be read, the old ones stay", error=str(error))
                self._seen = stamps
            return self._context

    def _stamps(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._tls.certificate, self._tls.private_key, self._tls.trusted))


def server_context(tls: Tls) -> ssl.SSLContext:
    """For the listener; a client certificate signed by `trusted` is demanded unless the setting is off."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls.trusted is not None:
        context.load_verify_locations(tls.trusted)
        context.verify_mode = ssl.CERT_REQUIRED if tls.require_client_certificate else ssl.CERT_OPTIONAL
    return _profile(context, tls)


def client_context(tls: Tls) -> ssl.SSLContext:
    """For a destination: its certificate must be signed by `trusted` (by a public CA without it).

    The host name is not compared, as DICOM certificates are issued to AEs, not to names.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.trusted)
    context.check_hostname = False
    return _profile(context, tls)


def _profile(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.private_key)
    return context


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Changes when the file does, also when another one is renamed over it."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns) if status else None
