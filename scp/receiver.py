"""The receiver process: the listener and the spool, no database, no torch."""

import gc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from pynetdicom.presentation import PresentationContext

from config.settings import Settings
from scp import memory
from scp.durable import hold
from scp.server import StorageServer
from scp.signals import Termination
from scp.spool import Spool

log = structlog.get_logger()

LOOK = 0.1
"""Seconds between two looks whether an earlier receiver has ended."""


def spool_folder(settings: Settings) -> Path:
    """Where the spool of this node lies."""
    return settings.node.folder / "spool"


def receiver_lock(settings: Settings) -> Path:
    """What a living receiver of this node holds."""
    return settings.node.folder / "locks" / f"receiver-{settings.node.name}.lock"


def run_receiver(
    settings: Settings,
    contexts: Sequence[PresentationContext] = (),
    handlers: Sequence[tuple[Any, ...]] = (),
) -> None:
    """Receive until SIGTERM or SIGINT, then finish what is arriving within `node.drain_seconds`.

    `contexts` and `handlers` add services (storage commitment).

    Raises OSError: the port is taken, the folder cannot be written, or the TLS files cannot be read.
    """
    os.umask(0o077)
    memory.use_few_arenas()
    termination = Termination()
    listener = settings.listener
    spool = Spool(
        spool_folder(settings), f"receiver-{settings.node.name}", listener.free_space, listener.maximum_dataset
    )
    _sweep(settings, spool, termination)
    if termination.wait(0):
        return
    server = StorageServer(listener, spool, contexts, handlers)
    # what is loaded now stays: the collections that free ended associations need not look at it
    gc.freeze()
    termination.wait()
    server.stop(settings.node.drain_seconds)
    log.info("stopped")


def _sweep(settings: Settings, spool: Spool, termination: Termination) -> None:
    """Remove what an earlier receiver has left half-written, once it is gone: one that drains still writes there."""
    lock = receiver_lock(settings)
    waited = False
    while not termination.wait(LOOK if waited else 0):
        try:
            hold(lock)
        except BlockingIOError:
            if not waited:
                log.info("waiting for an earlier receiver to end")
            waited = True
            continue
        except OSError as error:  # full or read-only: nothing can be swept, and senders are told so
            log.warning("half-received files are not looked for", error=error.strerror)
            return
        swept = spool.sweep()
        if swept:
            log.warning("half-received files of an earlier run removed", files=swept)
        return
