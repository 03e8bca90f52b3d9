"""Who may associate: called and calling AE titles, addresses, users, how many and how often. No network here."""

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from config.listener import Listener, Peer

AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")

SPARE_CONNECTIONS = 64
"""Connections above the maximum that still get an answer (a rejection); more are closed at once."""

MINUTE = 60.0
REMEMBERED_ADDRESSES = 4096


class Rejection(NamedTuple):
    """An A-ASSOCIATE-RJ (PS3.8 table 9-21) with its reason in words, and what the operator can do."""

    result: int
    source: int
    diagnostic: int
    reason: str
    remedy: str


class Request(NamedTuple):
    """An association request, as far as it decides on admission. `user` is (name, password)."""

    called_ae_title: str
    calling_ae_title: str
    address: str
    user: tuple[str, str] | None = None


class Admission:
    """Decides by the listener's settings; keeps count of connections and associations. Safe in threads."""

    def __init__(self, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()
        self._hashing = threading.Lock()
        self._connections = 0
        self._associations: dict[int, Peer | None] = {}
        self._recent: dict[str, deque[float]] = {}
        self._networks = {peer: ip_network(peer.address, strict=False) for peer in listener.peers}

    def connect(self, address: str) -> bool:
        """A connection arrives. False: close it unheard, there are far too many (in all, or from there)."""
        with self._lock:
            recent = self._window(address)
            recent.append(self._clock())
            if self._connections >= self._listener.maximum_associations + SPARE_CONNECTIONS:
                return False
            if len(recent) > 2 * self._listener.associations_per_minute:
                return False
            self._connections += 1
            return True

    def disconnect(self, key: int) -> None:
        """A connection that `connect` let in, and its association `key` if it came to one, has ended."""
        with self._lock:
            self._connections -= 1
            self._associations.pop(key, None)

    def judge(self, request: Request, key: int) -> Rejection | None:
        """Reject an association, or count it under `key` and return None."""
        listener = self._listener
        if request.called_ae_title != listener.ae_title:
            return Rejection(1, 1, 7, "called AE title is not ours", f"At the peer, call {listener.ae_title}.")
        if not AE_TITLE.fullmatch(request.calling_ae_title):
            return Rejection(1, 1, 3, "calling AE title is malformed", "Give the peer an AE title (PS3.5 6.2).")
        peer = self._listed(request)
        if peer is None and not (listener.open_on_loopback and _plain(request.address).is_loopback):
            return Rejection(
                1, 1, 3, "peer is not listed", f"To admit it, add to the settings:\n{admitting(request)}"
            )
        if peer is not None and not self._is_user(peer, request.user):
            remedy = "At the peer, send the user name and password of its entry in listener.peers."
            return Rejection(1, 1, 1, "user name or password is missing or wrong", remedy)
        with self._lock:
            return self._count(request, peer, key)

    def _count(self, request: Request, peer: Peer | None, key: int) -> Rejection | None:
        listener = self._listener
        if len(self._window(request.address)) > listener.associations_per_minute:
            return Rejection(2, 3, 1, "too many associations a minute", "Raise listener.associations_per_minute.")
        if len(self._associations) >= listener.maximum_associations:
            return Rejection(2, 3, 2, "too many associations", "Raise listener.maximum_associations.")
        if peer is not None and Counter(self._associations.values())[peer] >= peer.maximum_associations:
            return Rejection(2, 3, 2, "too many associations of this peer", "Raise its maximum_associations.")
        self._associations[key] = peer
        return None

    def _listed(self, request: Request) -> Peer | None:
        address = _plain(request.address)
        for peer, network in self._networks.items():
            if peer.ae_title == request.calling_ae_title and address in network:
                return peer
        return None

    def _is_user(self, peer: Peer, user: tuple[str, str] | None) -> bool:
        if peer.username is None and peer.password_hash is None:
            return True
        if user is None or user[0] != peer.username:
            return False
        if peer.password_hash is None:
            return True
        with self._hashing:  # one at a time: argon2 takes 64 MiB
            try:
                return PasswordHasher().verify(peer.password_hash, user[1])
            except (VerificationError, InvalidHashError):
                return False

    def _window(self, address: str) -> deque[float]:
        """The moments of the last minute at which this address connected; the caller holds the lock."""
        horizon = self._clock() - MINUTE
        if len(self._recent) > REMEMBERED_ADDRESSES:
            self._recent = {place: times for place, times in self._recent.items() if times and times[-1] > horizon}
        recent = self._recent.setdefault(address, deque(maxlen=2 * self._listener.associations_per_minute + 1))
        while recent and recent[0] < horizon:
            recent.popleft()
        return recent


def admitting(request: Request) -> str:
    """The TOML that would admit the peer."""
    title, address = json.dumps(request.calling_ae_title), json.dumps(str(_plain(request.address)))
    return f"[[listener.peers]]\nae_title = {title}\naddress = {address}"


def _plain(address: str) -> IPv4Address | IPv6Address:
    """The address; an IPv4 one that came in over an IPv6 socket as itself."""
    plain = ip_address(address.partition("%")[0])
    return getattr(plain, "ipv4_mapped", None) or plain
