"""Who is at the page, and what they may do.

Without `[[web.users]]` the page is bound to loopback (config.operation.Web) and everyone there is an operator;
the Host header must then name loopback, so that no foreign page can rebind a name onto it. With users, a browser
logs in and gets a session cookie; a program uses HTTP Basic. Roles: a viewer reads and gives feedback, an
operator also uploads, sends, retries and cancels.
"""

import asyncio
import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

import structlog
from fastapi import Depends, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from config.operation import User
from scp.web import texts
from scp.web.passwords import Brake, Passwords

log = structlog.get_logger(__name__)

Role = Literal["viewer", "operator"]

SESSION_COOKIE = "mammonode_session"
SESSION_SECONDS = 10 * 3600.0
"""A long working day."""
OPEN_PATHS = ("/static/", "/login", "/healthz", "/readyz")
WITHOUT_TOKEN = ("/login", "/logout", "/dicom-web/")
"""Unsafe requests that need no CSRF token: forms guarded by Origin and SameSite, and programs' STOW-RS."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Visitor:
    """Someone at the page. `csrf` must come back in X-CSRF-Token; None for a program, which has no cookie."""

    name: str
    role: Role
    csrf: str | None


class Sessions:
    """Logged-in browsers, in memory: a restart logs everyone out. Only digests of the tokens are kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._visitors: dict[str, tuple[Visitor, float]] = {}

    def open(self, user: User) -> str:
        """A new session's token."""
        token = secrets.token_urlsafe(32)
        now = self._clock()
        self._visitors = {key: entry for key, entry in self._visitors.items() if entry[1] > now}
        visitor = Visitor(user.name, user.role, secrets.token_urlsafe(32))
        self._visitors[_digest(token)] = (visitor, now + SESSION_SECONDS)
        return token

    def visitor(self, token: str) -> Visitor | None:
        """Whose token this is; None when it is unknown or too old."""
        visitor, expires = self._visitors.get(_digest(token), (None, 0.0))
        return visitor if expires > self._clock() else None

    def close(self, token: str) -> None:
        """Log out."""
        self._visitors.pop(_digest(token), None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Access:
    """ASGI middleware: identifies the visitor, turns strangers and foreign pages away."""

    def __init__(self, app: ASGIApp, users: tuple[User, ...]) -> None:
        self.app = app
        self.users = users
        self.sessions = Sessions()
        self.passwords = Passwords(users)
        self.brake = Brake()
        self._one_at_a_time = asyncio.Lock()
        self._local = Visitor(texts.LOCAL_USER, "operator", secrets.token_urlsafe(32))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        scope.setdefault("state", {})["access"] = self
        refusal = self._foreign(request) or await self._stranger(request)
        await (refusal or self.app)(scope, receive, send)

    def _foreign(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self.users and host.rsplit(":", 1)[0] not in LOOPBACK:
            return JSONResponse({"detail": texts.WRONG_HOST}, 421)
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return None
        origin = request.headers.get("origin")
        from_elsewhere = origin is not None and urlsplit(origin).netloc != host
        if from_elsewhere or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return JSONResponse({"detail": texts.CROSS_SITE}, 403)
        return None

    async def _stranger(self, request: Request) -> Response | None:
        visitor = await self._identify(request)
        if isinstance(visitor, Response):
            return visitor
        request.scope["state"]["visitor"] = visitor
        path = request.url.path
        if path.startswith(OPEN_PATHS):
            return None
        if visitor is None:
            return _ask_to_log_in(request)
        unsafe = request.method not in ("GET", "HEAD", "OPTIONS") and not path.startswith(WITHOUT_TOKEN)
        sent = request.headers.get("x-csrf-token", "")
        if unsafe and visitor.csrf is not None and not secrets.compare_digest(sent.encode(), visitor.csrf.encode()):
            return JSONResponse({"detail": texts.STALE_PAGE}, 403)
        return None

    async def _identify(self, request: Request) -> Visitor | Response | None:
        if not self.users:
            return self._local
        visitor = self.sessions.visitor(request.cookies.get(SESSION_COOKIE, ""))
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if visitor is not None or scheme.lower() != "basic":
            return visitor
        try:
            name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        outcome = await self.check(name, password, client_address(request))
        if isinstance(outcome, User):
            return Visitor(outcome.name, outcome.role, None)
        return _slow_down(outcome) if outcome else None

    async def check(self, name: str, password: str, address: str) -> User | float:
        """The user, or the seconds to wait before the next try (0.0: the password was wrong)."""
        if (known := self.passwords.remembered(name, password)) is not None:
            return known
        # many that come together are looked at one after the other, each against what the ones before came to
        async with self._one_at_a_time:
            wait = self.brake.closed_for(name, address)
            if wait:
                return wait
            user = await run_in_threadpool(self.passwords.user, name, password)
            if user is not None:
                return user
            self.brake.failed(name, address)
        log.warning("login refused", address=address)
        return 0.0


def client_address(request: Request) -> str:
    """The peer's address, for the brake and the log."""
    return request.client.host if request.client else ""


def _ask_to_log_in(request: Request) -> Response:
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)
    return JSONResponse({"detail": texts.LOG_IN_FIRST}, 401, {"WWW-Authenticate": 'Basic realm="mammonode"'})


def _slow_down(seconds: float) -> Response:
    return JSONResponse({"detail": texts.TOO_MANY_LOGINS}, 429, {"Retry-After": str(int(seconds) + 1)})


def current_visitor(request: Request) -> Visitor:
    """Dependency: the visitor, whom the middleware has let in."""
    visitor: Visitor = request.state.visitor
    return visitor


def require_operator(request: Request) -> Visitor:
    """Dependency: raises 403 for a viewer."""
    visitor = current_visitor(request)
    if visitor.role != "operator":
        raise HTTPException(403, texts.OPERATORS_ONLY)
    return visitor


AnyVisitor = Annotated[Visitor, Depends(current_visitor)]
Operator = Annotated[Visitor, Depends(require_operator)]
OPERATORS_ONLY = [Depends(require_operator)]
"""For routes that need an operator and do not ask who it is."""
