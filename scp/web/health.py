"""Is the node well: the node page, liveness, readiness and metrics."""

import shutil
import time
from importlib.metadata import version

from fastapi import APIRouter, HTTPException
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from config.destinations import Destination
from inference.results import ModelIdentity, Reason
from scp.node import metrics_folder
from scp.tables import executors
from scp.web import texts
from scp.web.access import OPERATORS_ONLY
from scp.web.echoes import Echo
from scp.web.live_metrics import exposition
from scp.web.models import models_on_disk
from scp.web.pages import page
from scp.web.state import State, WebState

router = APIRouter()


class DestinationHealth(BaseModel):
    """How deliveries to one destination stand, and whether it answers."""

    name: str
    where: str
    queue: int
    delivered: int
    failed: int
    trouble: Reason | None
    next_attempt: float | None
    echo: Echo | None


class WorkerHealth(BaseModel):
    """A process that analyses and delivers; `alive` while it renews its lease."""

    name: str
    alive: bool


class NodeHealth(BaseModel):
    """What an operator wants to see at a glance."""

    name: str
    software: str
    listener: str
    disk: str
    disk_ok: bool
    accelerator: str
    workers: list[WorkerHealth]
    shadow: bool
    studies: dict[str, int]
    destinations: list[DestinationHealth]
    models: list[ModelIdentity]


class Readiness(BaseModel):
    """`ready` is true when every check is."""

    ready: bool
    checks: dict[str, bool]


@router.get("/node", include_in_schema=False)
def node_page(request: Request, state: State) -> HTMLResponse:
    """The page."""
    health = node_health(state)
    return page(request, "node.html", here="/node", health=health, models=health.models)


@router.get("/api/node", tags=["node"])
def node(state: State) -> NodeHealth:
    """Destinations, disk, accelerator, studies and models."""
    return node_health(state)


@router.post(
    "/api/destinations/{name}/echo",
    tags=["node"],
    responses={404: {"description": "No such destination"}},
    dependencies=OPERATORS_ONLY,
)
def echo(state: State, name: str) -> Echo:
    """C-ECHO a destination (or ask a DICOMweb one) now."""
    for destination in state.settings.destinations:
        if destination.name == name:
            return state.echoes.try_now(name)
    raise HTTPException(404, texts.NO_DESTINATION)


@router.get("/healthz", tags=["node"])
def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@router.get("/readyz", tags=["node"], response_model=Readiness, responses={503: {"model": Readiness}})
def readyz(state: State) -> JSONResponse:
    """The page can do its work: the journal answers and the disk has room."""
    checks = {"journal": _journal_answers(state), "disk": not state.spool.is_low}
    ready = Readiness(ready=all(checks.values()), checks=checks)
    return JSONResponse(ready.model_dump(), 200 if ready.ready else 503)


@router.get("/metrics", tags=["node"], response_class=Response)
def metrics(state: State) -> Response:
    """Prometheus' text format; no identity."""
    return Response(exposition(state, metrics_folder(state.settings)), media_type=CONTENT_TYPE_LATEST)


def node_health(state: WebState) -> NodeHealth:
    """Collected now."""
    settings = state.settings
    disk = shutil.disk_usage(settings.node.folder)
    gpus = state.gpus.now()
    accelerator = ", ".join(
        f"{gpu.name} ({gpu.memory_used >> 20} of {gpu.memory_total >> 20} MiB, {gpu.utilisation:.0%})" for gpu in gpus
    )
    return NodeHealth(
        name=settings.node.name,
        software=version("mammonode"),
        listener=f"{settings.listener.ae_title} on {settings.listener.bind}:{settings.listener.port}",
        disk=f"{disk.free / 2**30:.0f} of {disk.total / 2**30:.0f} GiB free",
        disk_ok=not state.spool.is_low,
        accelerator=accelerator or texts.NO_GPU,
        workers=_workers(state),
        shadow=settings.delivery.mode == "shadow",
        studies={state.value: number for state, number in sorted(state.journal.counts().items())},
        destinations=_destinations(state),
        models=list(models_on_disk(settings.analysis)),
    )


def _destinations(state: WebState) -> list[DestinationHealth]:
    configured = {destination.name: destination for destination in state.settings.destinations}
    return [
        DestinationHealth(
            name=row.destination,
            where=_where(configured[row.destination]),
            queue=row.waiting + row.retrying + row.confirming,
            delivered=row.delivered,
            failed=row.failed,
            trouble=row.reason,
            next_attempt=row.next_attempt,
            echo=state.echoes.last.get(row.destination),
        )
        for row in state.journal.destinations(list(configured))
    ]


def _workers(state: WebState) -> list[WorkerHealth]:
    """By the leases in the journal's database."""
    oldest = time.time() - state.settings.engine.lease_seconds
    query = select(executors.c.executor_id, executors.c.renewed).order_by(executors.c.executor_id)
    with state.journal.engine.connect() as connection:
        return [WorkerHealth(name=name, alive=renewed > oldest) for name, renewed in connection.execute(query)]


def _where(destination: Destination) -> str:
    return destination.url or f"{destination.ae_title} at {destination.host}:{destination.port}"


def _journal_answers(state: WebState) -> bool:
    try:
        with state.journal.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True
