"""`mammonode check`: is this node fit to be switched on? Each answer names its remedy."""

import os
import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cryptography import x509

from config.destinations import Destination
from config.listener import Tls
from config.settings import Settings
from inference.errors import InferenceError
from scp.composition import load_analyser
from scp.database_trouble import database_trouble
from scp.durable import locked
from scp.operations import echo
from scp.receiver import receiver_lock
from scp.tls import client_context, server_context

Outcome = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One answer. A warning does not keep the node from working; a failure does."""

    name: str
    outcome: Outcome
    text: str
    remedy: str = ""


def run_checks(settings: Settings) -> Iterator[Check]:
    """Check folder, disk, database, port, callers, certificates, networks, destinations, one after the other."""
    yield _folder(settings)
    yield _disk(settings)
    yield _database(settings)
    yield _port(settings)
    yield _page_port(settings)
    yield _callers(settings)
    yield from _certificates(settings)
    yield _networks(settings)
    if not settings.destinations:
        yield Check(
            "destinations", "warning", "there is none", "Add a [[destinations]] table: results are only kept."
        )
    for destination in settings.destinations:
        yield _echo(settings, destination)


def as_json(checks: list[Check]) -> dict[str, Any]:
    """The documented JSON."""
    return {"ok": all(check.outcome != "failed" for check in checks), "checks": [asdict(check) for check in checks]}


def _folder(settings: Settings) -> Check:
    folder = settings.node.folder
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            os.fsync(file.fileno())
    except OSError as error:
        remedy = f"Give the node's account the right to write to {folder}, or set node.folder."
        return Check("folder", "failed", f"{folder} cannot be written ({error.strerror})", remedy)
    return Check("folder", "ok", f"{folder.absolute()} can be written")


def _disk(settings: Settings) -> Check:
    if not settings.node.folder.is_dir():
        return Check("disk", "failed", "unknown: there is no folder", "See to the folder first.")
    free = shutil.disk_usage(settings.node.folder).free
    limit = settings.listener.free_space
    text = f"{free / 2**30:.0f} GiB free; the node warns below {10 * limit / 2**30:.0f} and refuses images below"
    text += f" {limit / 2**30:.0f}"
    if free < limit:
        return Check("disk", "failed", text, "Free space, or move node.folder to a larger disk.")
    if free < 10 * limit:
        return Check("disk", "warning", text, "A four-view study takes about 100 MB: plan for the days of retention.")
    return Check("disk", "ok", text)


def _database(settings: Settings) -> Check:
    trouble = database_trouble(settings)
    if trouble is not None:
        return Check("database", "failed", trouble.text, trouble.remedy)
    where = "PostgreSQL answers" if settings.engine.database_url else "SQLite in the node's folder"
    return Check("database", "ok", where)


def _port(settings: Settings) -> Check:
    listener = settings.listener
    taken = _taken(listener.bind, listener.port)
    where = f"{listener.bind}:{listener.port}"
    if taken is None:
        return Check("port", "ok", f"AE {listener.ae_title} can listen on {where}")
    if _receives(settings):
        return Check("port", "ok", f"the node is running and listens on {where}")
    remedy = "End the program that has it, or choose another listener.port or listener.bind."
    return Check("port", "failed", f"nothing can listen on {where} ({taken})", remedy)


def _page_port(settings: Settings) -> Check:
    web = settings.web
    taken = _taken(web.bind, web.port)
    where = f"{web.bind}:{web.port}"
    if taken is None:
        return Check("page", "ok", f"can be served on {where}")
    remedy = "Is the page running already? Otherwise choose another web.port or web.bind."
    return Check("page", "warning", f"nothing can listen on {where} ({taken})", remedy)


def _taken(host: str, port: int) -> str | None:
    """Why nobody can listen there now; None: it is free."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror
    return None


def _receives(settings: Settings) -> bool:
    """Whether a receiver of this node is alive: it holds its lock."""
    try:
        with locked(receiver_lock(settings), 0):
            return False
    except TimeoutError:
        return True
    except OSError:  # the folder's own check says what is wrong with it
        return False


def _callers(settings: Settings) -> Check:
    listener = settings.listener
    if listener.peers:
        return Check("callers", "ok", ", ".join(f"{peer.ae_title} at {peer.address}" for peer in listener.peers))
    if listener.open_on_loopback:
        remedy = 'List modalities and PACS as [[listener.peers]] with ae_title = "…" and address = "…".'
        return Check("callers", "warning", "only this machine may send", remedy)
    return Check("callers", "failed", "nobody may send", "List modalities and PACS as [[listener.peers]].")


def _certificates(settings: Settings) -> Iterator[Check]:
    """Of the listener, the page and each destination, where TLS is on."""
    yield from _certificate("certificate of the listener", settings.listener.tls, server_context)
    yield from _certificate("certificate of the page", settings.web.tls, server_context)
    for destination in settings.destinations:
        yield from _certificate(f"certificate for {destination.name}", destination.tls, client_context)


def _certificate(name: str, tls: Tls, make: Callable[[Tls], ssl.SSLContext]) -> Iterator[Check]:
    if not tls.enabled or tls.certificate is None:
        return
    try:
        make(tls)
        ends = x509.load_pem_x509_certificate(tls.certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        remedy = "Name PEM files that the node's account may read, and the key that belongs to the certificate."
        yield Check(name, "failed", f"cannot be used: {error}", remedy)
        return
    days = (ends - datetime.now(UTC)).days
    outcome: Outcome = "failed" if days < 0 else "warning" if days < 30 else "ok"
    text = f"{tls.certificate} is valid until {ends:%Y-%m-%d}"
    remedy = "" if outcome == "ok" else "Put a renewed one in its place: the node reads it again by itself."
    yield Check(name, outcome, text, remedy)


def _networks(settings: Settings) -> Check:
    try:
        analyser = load_analyser(settings)
    except InferenceError as error:
        return Check("networks", "failed", error.reason.text, error.reason.remedy)
    models = ", ".join(f"{model.module.value} {model.version}" for model in analyser.models)
    return Check("networks", "ok", f"{models or 'all modules switched off'} on {analyser.device}")


def _echo(settings: Settings, destination: Destination) -> Check:
    answer = echo(settings, destination.name)
    if answer["ok"]:
        return Check(f"destination {destination.name}", "ok", answer["message"])
    remedy = "See that it runs, and that it knows this node's AE title and address. Results wait until it answers."
    return Check(f"destination {destination.name}", "warning", answer["message"], remedy)
