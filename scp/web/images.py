"""Pictures for the viewer: how an image hangs, a scaled picture first, then lossless tiles at full resolution."""

from typing import Annotated

from fastapi import APIRouter, HTTPException
from fastapi import Path as FromPath
from pydantic import BaseModel
from starlette.responses import Response

from inference.errors import UnreadablePixelsError
from scp.studies import readable_header
from scp.web import texts
from scp.web.hanging import Basis, Side, turn
from scp.web.pixel_store import TILE, Picture
from scp.web.state import SopUid, State, StudyUid, WebState
from scp.web.study_files import image_path, required_result

router = APIRouter(prefix="/api/studies/{study}/images/{sop}", tags=["images"])
NOT_FOUND: dict[int | str, dict[str, object]] = {404: {"description": "No such image, or no longer kept"}}


class Hanging(BaseModel):
    """How the viewer shows the stored pixels: mirrored left to right, flipped upside down, or neither."""

    rows: int
    columns: int
    tile: int
    levels: int
    mirror: bool
    flip: bool
    chest_wall: Side
    basis: Basis
    conflict: bool


@router.get("", responses=NOT_FOUND)
def hanging(state: State, study: StudyUid, sop: SopUid) -> Hanging:
    """Size of the stored image, and how it hangs."""
    image = required_result(state, study).image(sop)
    picture = stored_picture(state, study, sop)
    header = readable_header(image_path(state, study, sop))
    orientation = [str(value) for value in (header.get("PatientOrientation") or ())] if header is not None else []
    shown = turn(image.laterality, image.view, orientation, picture.chest_wall)
    rows, columns = picture.levels[0].shape
    return Hanging(rows=rows, columns=columns, tile=TILE, levels=len(picture.levels), **vars(shown))


@router.get("/preview.jpeg", responses=NOT_FOUND, response_class=Response)
def preview(state: State, study: StudyUid, sop: SopUid) -> Response:
    """The whole image, at most 1024 pixels a side."""
    return Response(stored_picture(state, study, sop).preview, media_type="image/jpeg")


@router.get("/tiles/{level}/{column}/{row}.png", responses=NOT_FOUND, response_class=Response)
def tile(
    state: State,
    study: StudyUid,
    sop: SopUid,
    level: Annotated[int, FromPath(ge=0, le=1, description="0 full size, 1 half")],
    column: Annotated[int, FromPath(ge=0, le=1000)],
    row: Annotated[int, FromPath(ge=0, le=1000)],
) -> Response:
    """One lossless tile of stored pixels, windowed to 8 bits."""
    data = stored_picture(state, study, sop).tile(level, column, row)
    if data is None:
        raise HTTPException(404, texts.NO_TILE)
    return Response(data, media_type="image/png")


def stored_picture(state: WebState, study: str, sop: str) -> Picture:
    """An image of the spool. Raises HTTPException 404: it cannot be read, or is gone."""
    path = image_path(state, study, sop)
    try:
        return state.pixels.picture(path)
    except UnreadablePixelsError as error:
        raise HTTPException(404, texts.said(error.reason)) from error
    except FileNotFoundError as error:
        raise HTTPException(404, texts.IMAGE_GONE) from error
