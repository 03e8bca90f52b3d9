"""STOW-RS to a DICOMweb destination (PS3.18 10.5)."""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from config.destinations import Destination
from inference.results import Reason
from scp.circuit import UNREACHABLE
from scp.cstore import meaning
from scp.outcome import Outcome, Parcel, Retry
from scp.tls import client_context

FAILED, REFERENCED = "00081198", "00081199"  # Failed SOP Sequence, Referenced SOP Sequence
INSTANCE, FAILURE = "00081155", "00081197"  # Referenced SOP Instance UID, Failure Reason


def send(destination: Destination, parcels: Sequence[Parcel]) -> Outcome:
    """Store `parcels` in one request; what the answer's Failed SOP Sequence names is not stored."""
    try:
        response = _post(destination, parcels)
    except (httpx.HTTPError, OSError) as error:
        return Outcome((), _trouble(destination, f"does not answer ({type(error).__name__})", UNREACHABLE), "soon")
    if response.status_code in (200, 202, 409):
        return _read(destination, parcels, response)
    text = f"answers HTTP {response.status_code}"
    if response.status_code in (401, 403):
        remedy = "Set username and password of the destination, or its client certificate; then: mammonode retry."
        return Outcome((), _trouble(destination, text, "not-authorised", remedy), "few")
    retry: Retry = "soon" if response.status_code >= 500 or response.status_code in (408, 429) else "few"
    return Outcome((), _trouble(destination, text, f"http-{response.status_code}"), retry)


def echo(destination: Destination) -> None:
    """Ask for one study. Raises ConnectionError: no answer, or a refusal."""
    with _client(destination) as client:
        try:
            client.get(f"{destination.url}/studies", params={"limit": 1}).raise_for_status()
        except httpx.HTTPError as error:
            raise ConnectionError(f"{destination.url} does not answer: {type(error).__name__}") from error


def _client(destination: Destination) -> httpx.Client:
    login = (destination.username, destination.password or "") if destination.username else None
    timeout = httpx.Timeout(destination.response_timeout, connect=destination.connect_timeout)
    verify: Any = client_context(destination.tls) if destination.tls.enabled else True
    return httpx.Client(auth=login, timeout=timeout, verify=verify)


def _post(destination: Destination, parcels: Sequence[Parcel]) -> httpx.Response:
    boundary = secrets.token_hex(16)
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Accept": "application/dicom+json",
    }
    with _client(destination) as client:
        return client.post(f"{destination.url}/studies", content=_parts(parcels, boundary), headers=headers)


def _parts(parcels: Sequence[Parcel], boundary: str) -> Iterator[bytes]:
    for parcel in parcels:
        yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        with parcel.reading():
            content = parcel.file.read_bytes()
        yield content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _read(destination: Destination, parcels: Sequence[Parcel], response: httpx.Response) -> Outcome:
    try:
        answer = response.json()
        failed = {_value(item, INSTANCE): _value(item, FAILURE) for item in answer.get(FAILED, {}).get("Value", [])}
        named = {_value(item, INSTANCE) for item in answer.get(REFERENCED, {}).get("Value", [])}
    except (ValueError, AttributeError, TypeError) as error:
        text = f"answers HTTP {response.status_code} without a readable body ({type(error).__name__})"
        return Outcome((), _trouble(destination, text, "bad-answer"), "few")
    final = {uid: meaning(int(status or 0x0110)) for uid, status in failed.items()}
    refused = {uid: said for uid, said in final.items() if said[0] is not None}
    if response.status_code == 200:
        named = {parcel.sop_instance_uid for parcel in parcels}
    named |= {uid for uid, said in final.items() if said[0] is None}
    stored = tuple(item.sop_instance_uid for item in parcels if item.sop_instance_uid in named - refused.keys())
    if len(stored) == len(parcels):
        return Outcome(stored)
    unnamed: tuple[Retry | None, str] = ("few", "Its log says why; then: mammonode retry.")
    uid, (retry, remedy) = next(iter(refused.items()), (None, unnamed))
    code = int(failed.get(uid) or 0)
    return Outcome(
        stored, _trouble(destination, f"refuses an object (0x{code:04X})", f"status-{code:04x}", remedy), retry
    )


def _value(item: dict[str, Any], tag: str) -> Any:
    return item.get(tag, {}).get("Value", [None])[0]


def _trouble(destination: Destination, text: str, code: str, remedy: str = "") -> Reason:
    remedy = remedy or "See that it runs and that the network reaches it; the node goes on trying."
    return Reason(code=code, text=f"{destination.name} {text}.", remedy=remedy)
