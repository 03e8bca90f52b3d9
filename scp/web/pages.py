"""Templates: one environment, the texts, and the filters that say times and numbers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from scp.journal_rows import StudyState
from scp.web import texts
from scp.web.access import Visitor

RETRYABLE = (StudyState.FAILED, StudyState.CANCELLED)
CANCELLABLE = (StudyState.RECEIVED, StudyState.WAITING, StudyState.ANALYSING, StudyState.DELIVERING)
_NOBODY = Visitor("", "viewer", None)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(t=texts, retryable=RETRYABLE, cancellable=CANCELLABLE)
    environment.filters.update(iso=_iso, utc=_utc)
    return environment


_templates = _environment()


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template; `visitor` is whoever the request comes from."""
    visitor = request.scope.get("state", {}).get("visitor") or _NOBODY
    values = {"visitor": visitor, "here": "", "logged_in": _logged_in(request, visitor)} | values
    return HTMLResponse(_templates.get_template(template).render(values), status)


def _logged_in(request: Request, visitor: Visitor) -> bool:
    return bool(visitor.name) and bool(request.app.state.web.settings.web.users)
