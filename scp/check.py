"""`mammonode check`: is this node fit to be switched on? Each answer names its remedy."""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at import by pynetdicom

from config.destinations import Destination
from config.settings import Settings
from inference.errors import InferenceError
from scp.composition import load_analyser
from scp.tls import client_context

Outcome = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One answer. A warning does not keep the node from working; a failure does."""

    name: str
    outcome: Outcome
    text: str
    remedy: str = ""


def run_checks(settings: Settings) -> Iterator[Check]:
    """Check folder, disk, port, callers, networks and device, destinations, one after the other."""
    yield _folder(settings)
    yield _disk(settings)
    yield _port(settings)
    yield _callers(settings)
    yield _networks(settings)
    if not settings.destinations:
        yield Check(
            "destinations", "warning", "there is none", "Add a [[destinations]] table: results are only kept."
        )
    for destination in settings.destinations:
        yield _echo(destination, settings.listener.ae_title)


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
    text = f"{free / 2**30:.0f} GiB free; the node refuses images below {settings.listener.free_space / 2**30:.0f}"
    if free < settings.listener.free_space:
        return Check("disk", "failed", text, "Free space, or move node.folder to a larger disk.")
    if free < 10 * settings.listener.free_space:
        return Check("disk", "warning", text, "A four-view study takes about 100 MB: plan for the days of retention.")
    return Check("disk", "ok", text)


def _port(settings: Settings) -> Check:
    listener = settings.listener
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listener.bind, listener.port))
        except OSError as error:
            remedy = "Is the node running already? Otherwise choose another listener.port."
            return Check("port", "warning", f"{listener.bind}:{listener.port} is taken ({error.strerror})", remedy)
    return Check("port", "ok", f"AE {listener.ae_title} can listen on {listener.bind}:{listener.port}")


def _callers(settings: Settings) -> Check:
    listener = settings.listener
    if listener.peers:
        return Check("callers", "ok", ", ".join(f"{peer.ae_title} at {peer.address}" for peer in listener.peers))
    if listener.open_on_loopback:
        remedy = 'List modalities and PACS as [[listener.peers]] with ae_title = "…" and address = "…".'
        return Check("callers", "warning", "only this machine may send", remedy)
    return Check("callers", "failed", "nobody may send", "List modalities and PACS as [[listener.peers]].")


def _networks(settings: Settings) -> Check:
    try:
        analyser = load_analyser(settings)
    except InferenceError as error:
        return Check("networks", "failed", error.reason.text, error.reason.remedy)
    models = ", ".join(f"{model.module.value} {model.version}" for model in analyser.models)
    return Check("networks", "ok", f"{models or 'all modules switched off'} on {analyser.device}")


def _echo(destination: Destination, calling: str) -> Check:
    name = f"destination {destination.name}"
    reach: Callable[[Destination, str], str] = _echo_web if destination.url else _echo_dimse
    try:
        return Check(name, "ok", reach(destination, destination.calling_ae_title or calling))
    except (OSError, ConnectionError) as error:
        remedy = (
            "See that it runs, and that it knows this node's AE title and address. Results wait until it answers."
        )
        return Check(name, "warning", str(error), remedy)


def _echo_dimse(destination: Destination, calling: str) -> str:
    where = f"{destination.ae_title} at {destination.host}:{destination.port}"
    ae = AE(ae_title=calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = destination.connect_timeout
    ae.add_requested_context(Verification)
    tls = (client_context(destination.tls), destination.host) if destination.tls.enabled else None
    assoc = ae.associate(destination.host, destination.port, ae_title=destination.ae_title, tls_args=tls)
    if not assoc.is_established:
        raise ConnectionError(f"{where} {'rejects the association' if assoc.is_rejected else 'does not answer'}")
    try:
        status = assoc.send_c_echo()
    finally:
        assoc.release()
    if status.get("Status") != 0x0000:
        raise ConnectionError(f"{where} answers C-ECHO with {status.get('Status', 'nothing')}")
    return f"{where} answers C-ECHO"


def _echo_web(destination: Destination, _calling: str) -> str:
    import httpx  # noqa: PLC0415 - only for DICOMweb destinations

    login = (destination.username, destination.password or "") if destination.username else None
    try:
        answer = httpx.get(f"{destination.url}/studies", params={"limit": 1}, auth=login, timeout=10)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ConnectionError(f"{destination.url} does not answer: {error}") from error
    return f"{destination.url} answers"
