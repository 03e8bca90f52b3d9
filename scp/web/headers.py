"""Headers that keep the page to itself, and the limit on what is sent to it."""

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scp.web import texts

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src 'self' blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a form says Origin: null
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SecureHeaders:
    """ASGI middleware: the headers above; nothing but static files is kept by a browser or a proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                if not scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-store"
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        await self.app(scope, receive, with_headers)


UPLOAD_PATHS = ("/api/upload", "/dicom-web/")
PATIENCE = 4
"""How many times the limit is read and thrown away before a peer is cut off."""


class TooLargeError(Exception):
    """A request body grew beyond the limit while it was read."""


class BodyLimit:
    """ASGI middleware: a body larger than `uploads` on the upload paths, or `others` elsewhere, is answered 413."""

    def __init__(self, app: ASGIApp, uploads: int, others: int = 1 << 20) -> None:
        self.app = app
        self.uploads = uploads
        self.others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.uploads if scope["path"].startswith(UPLOAD_PATHS) else self.others
        body = _Counted(receive, limit)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        try:
            if not declared.isdigit() or int(declared) <= limit:
                await self.app(scope, body.receive, send)
                return
        except TooLargeError:
            pass  # nothing has been answered yet: every route reads the whole body before it answers
        await body.drain(PATIENCE * limit)
        await _too_large(limit)(scope, receive, send)


class _Counted:
    """A body that is counted while it is read."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._received = 0

    async def receive(self) -> Message:
        """The next message. Raises TooLargeError."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise TooLargeError
        return message

    async def drain(self, most: int) -> None:
        """Throw the rest away: a peer that is cut off in the middle of its sending never sees the answer."""
        more = True
        while more and self._received < most:
            message = await self._receive()
            self._received += len(message.get("body", b""))
            more = message.get("more_body", False)


def _too_large(limit: int) -> JSONResponse:
    return JSONResponse({"detail": texts.too_large(limit)}, 413, {"Connection": "close"})
