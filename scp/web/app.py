"""The page, composed from its routers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from config.settings import Settings
from scp.journal import Journal
from scp.result_folders import ResultFolders
from scp.spool import Spool
from scp.web import downloads, feedback, health, images, login, report, stow, texts, upload, worklist
from scp.web.access import Access
from scp.web.echoes import Echoes
from scp.web.gpus import Gpus
from scp.web.headers import BodyLimit, SecureHeaders
from scp.web.opinions import Opinions
from scp.web.pages import page
from scp.web.pixel_store import PixelStore
from scp.web.state import WebState

ROUTERS = (worklist, upload, report, images, downloads, feedback, stow, health, login)


def create_app(settings: Settings, journal: Journal, spool: Spool, results: ResultFolders) -> FastAPI:
    """The whole page; the caller runs it (scp.web.server) and closes the journal afterwards."""
    state = WebState(
        settings=settings,
        journal=journal,
        spool=spool,
        results=results,
        pixels=PixelStore(settings.analysis.pixel_memory),
        opinions=Opinions(settings.node.folder / "feedback"),
        echoes=Echoes(settings),
        gpus=Gpus(),
    )
    # Swagger and ReDoc load their scripts from elsewhere, so only the description itself is served
    app = FastAPI(
        title=texts.PRODUCT,
        version=version("mammonode"),
        description=texts.DISCLAIMER,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
    )
    app.state.web = state
    for module in ROUTERS:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_exception_handler(HTTPException, _say_http)
    app.add_exception_handler(RequestValidationError, _say_invalid)
    app.add_middleware(Access, users=settings.web.users)
    app.add_middleware(BodyLimit, uploads=settings.web.maximum_upload)
    app.add_middleware(SecureHeaders)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: WebState = app.state.web
    echoing = asyncio.create_task(state.echoes.keep_trying())
    try:
        yield
    finally:
        echoing.cancel()
        with suppress(asyncio.CancelledError):
            await echoing


async def _say_http(request: Request, error: Exception) -> Response:
    """Errors as a page for people and as JSON for programs."""
    if not isinstance(error, HTTPException):
        raise error
    if _wants_page(request):
        return page(request, "message.html", error.status_code, heading=texts.NOT_FOUND_TITLE, message=error.detail)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


async def _say_invalid(request: Request, error: Exception) -> Response:
    """What is wrong with a request, without repeating what was sent: that may hold identity."""
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [{"loc": problem["loc"], "msg": problem["msg"], "type": problem["type"]} for problem in error.errors()]
    if _wants_page(request):
        message = "; ".join(str(problem["msg"]) for problem in problems)
        return page(request, "message.html", 422, heading=texts.NOT_FOUND_TITLE, message=message)
    return JSONResponse({"detail": problems}, 422)


def _wants_page(request: Request) -> bool:
    for_programs = request.url.path.startswith(("/api/", "/dicom-web/"))
    return "text/html" in request.headers.get("accept", "") and not for_programs
