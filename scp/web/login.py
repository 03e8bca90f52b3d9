"""Logging in and out."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from config.operation import User
from scp.web import texts
from scp.web.access import SESSION_COOKIE, SESSION_SECONDS, Access, client_address
from scp.web.pages import page

log = structlog.get_logger(__name__)
router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, next: str = "/") -> HTMLResponse:
    """The form."""
    return page(request, "login.html", next=_own_path(next), problem="")


@router.post("/login")
async def login(
    request: Request,
    name: Annotated[str, Form(max_length=256)],
    password: Annotated[str, Form(max_length=1024)],
    next: Annotated[str, Form(max_length=2048)] = "/",
) -> Response:
    """Open a session, or say that it failed; too many failures are answered 429."""
    access: Access = request.state.access
    outcome = await access.check(name, password, client_address(request))
    if not isinstance(outcome, User):
        problem = texts.TOO_MANY_LOGINS if outcome else texts.LOGIN_REFUSED
        answer = page(request, "login.html", 429 if outcome else 401, next=_own_path(next), problem=problem)
        if outcome:
            answer.headers["Retry-After"] = str(int(outcome) + 1)
        return answer
    response = RedirectResponse(_own_path(next), 303)
    response.set_cookie(
        SESSION_COOKIE,
        access.sessions.open(outcome),
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    log.info("login", user=outcome.name)
    return response


@router.post("/logout")
def logout(request: Request) -> Response:
    """Close the session."""
    access: Access = request.state.access
    access.sessions.close(request.cookies.get(SESSION_COOKIE, ""))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _own_path(path: str) -> str:
    """A path of this page, never another site's."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
