"""Who may log in: Argon2 hashes from the settings, and a brake on guessing."""

import hashlib
import hmac
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from config.operation import User

FAILURES_WINDOW = 300.0
FAILURES_OF_A_NAME = 5
"""Wrong passwords for one name from one address in `FAILURES_WINDOW` seconds before the door closes."""
FAILURES_OF_AN_ADDRESS = 20
REMEMBERED = 300.0
"""Seconds that a right HTTP Basic password is remembered: Argon2 takes 50 ms, a STOW-RS sender sends hundreds."""

_hasher = PasswordHasher()


class Brake:
    """Counts failed logins by (name, address) and by address; old ones are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, ...], deque[float]] = defaultdict(deque)

    def closed_for(self, name: str, address: str) -> float:
        """Seconds until this name may try again from this address; 0 when it may now."""
        limits = (((name, address), FAILURES_OF_A_NAME), ((address,), FAILURES_OF_AN_ADDRESS))
        return max(self._wait(key, limit) for key, limit in limits)

    def failed(self, name: str, address: str) -> None:
        """Count one wrong password."""
        now = self._clock()
        for key in [key for key, times in self._failures.items() if times[-1] <= now - FAILURES_WINDOW]:
            del self._failures[key]
        for key in ((name, address), (address,)):
            self._failures[key].append(now)

    def _wait(self, key: tuple[str, ...], limit: int) -> float:
        now = self._clock()
        recent = [at for at in self._failures.get(key, ()) if at > now - FAILURES_WINDOW]
        return recent[-limit] + FAILURES_WINDOW - now if len(recent) >= limit else 0.0


class Passwords:
    """Checks a name and a password against the settings; an unknown name takes as long as a wrong password."""

    def __init__(self, users: tuple[User, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self._users = {user.name: user for user in users}
        self._nobody = _hasher.hash(secrets.token_urlsafe(16)) if users else ""
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, float] = {}

    def remembered(self, name: str, password: str) -> User | None:
        """The user, if this password was right a short while ago."""
        expires = self._remembered.get(self._proof(name, password), 0.0)
        return self._users.get(name) if expires > self._clock() else None

    def user(self, name: str, password: str) -> User | None:
        """The user, or None when the name or the password is wrong. Takes 64 MiB and 50 ms: one at a time."""
        user = self._users.get(name)
        try:
            _hasher.verify(user.password_hash if user else self._nobody, password)
        except (VerificationError, InvalidHashError):
            return None
        if user is not None:
            self._remembered[self._proof(name, password)] = self._clock() + REMEMBERED
        return user

    def _proof(self, name: str, password: str) -> bytes:
        return hmac.digest(self._key, hashlib.sha256(f"{name}\0{password}".encode()).digest(), "sha256")
