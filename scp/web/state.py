"""What the page's routers share, made once by create_app."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi import Path as FromPath
from starlette.requests import Request

from config.settings import Settings
from scp.journal import Journal
from scp.result_folders import ResultFolders
from scp.spool import Spool
from scp.web.echoes import Echoes
from scp.web.gpus import Gpus
from scp.web.opinions import Opinions
from scp.web.pixel_store import PixelStore

UID_PATTERN = r"^[0-9]+(\.[0-9]+)*$"


@dataclass
class WebState:
    """Settings, and the doors to the journal, the spool, the results and the readers' opinions."""

    settings: Settings
    journal: Journal
    spool: Spool
    results: ResultFolders
    pixels: PixelStore
    opinions: Opinions
    echoes: Echoes
    gpus: Gpus


def web_state(request: Request) -> WebState:
    """Dependency: the application's state."""
    state: WebState = request.app.state.web
    return state


State = Annotated[WebState, Depends(web_state)]
StudyUid = Annotated[str, FromPath(pattern=UID_PATTERN, max_length=64, description="Study Instance UID")]
SopUid = Annotated[str, FromPath(pattern=UID_PATTERN, max_length=64, description="SOP Instance UID")]
