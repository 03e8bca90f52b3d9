"""Logging of every process of the node: console or JSON lines, never a patient's identity."""

import logging
import sys
import traceback
import warnings

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from config.operation import Node

QUIETER = {
    # its errors print the values of elements, its own words for a peer's mistakes are said once by scp.server
    "pydicom": logging.CRITICAL,
    "pynetdicom": logging.CRITICAL,
    "highdicom": logging.WARNING,
    "httpx": logging.WARNING,
    "PIL": logging.WARNING,
    "matplotlib": logging.WARNING,
}

OURS = frozenset({"config", "inference", "scp", "training"})


def configure(node: Node, role: str) -> None:
    """Send structlog's and the libraries' lines to standard error as `node.log_format` says, `role` in each."""

    def say_who(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        # context variables would not reach the threads of pynetdicom
        return {"node": node.name, "role": role, **event}

    shared: list[Processor] = [
        say_who,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    renderer: Processor = structlog.processors.JSONRenderer() if node.log_format == "json" else console
    exceptions = structlog.processors.ExceptionRenderer(places)
    handler = logging.StreamHandler(sys.stderr)
    # not their loggers' levels, as pydicom sets its own when it is imported
    handler.addFilter(lambda record: record.levelno >= QUIETER.get(record.name.partition(".")[0], 0))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, exceptions, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(node.log_level.upper())
    # pydicom warns with the value it dislikes, which may be a patient's name
    warnings.filterwarnings("ignore", module=r"pydicom\..*")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, node.log_level.upper())),
        cache_logger_on_first_use=True,
    )


def places(exc_info: ExcInfo) -> str:
    """An exception and what led to it: the places in the code and the types, innermost last.

    No local variables, and the words of our own exceptions and the system's only: what pydicom says holds the value
    that it dislikes.
    """
    lines: list[str] = []
    error: BaseException | None = exc_info[1]
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        said = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        lines[:0] = [*said, f"{type(error).__name__}{_words(error)}"]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)


def _words(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f": {error.strerror}"
    return f": {error}" if type(error).__module__.partition(".")[0] in OURS else ""
