"""Whoever gives a command, what it writes into the node's folder belongs to the account that the node runs as.

Files are for their owner alone: what another account has written there, the node could not even read.
"""

import os
import pwd
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from config.settings import Settings

Answer = dict[str, Any]
Arguments = ParamSpec("Arguments")

ROOT = 0


class OtherOwnerError(Exception):
    """The folder is another account's, and this one may not act for it; the text names the command to give."""


def as_owner(
    operation: Callable[Concatenate[Settings, Arguments], Answer],
) -> Callable[Concatenate[Settings, Arguments], Answer]:
    """Let an operation that writes into the node's folder be done as its owner, or refused: an answer not ok."""

    @wraps(operation)
    def guarded(settings: Settings, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        try:
            with acting_as_owner(settings.node.folder):
                return operation(settings, *arguments, **named)
        except OtherOwnerError as error:
            return {"ok": False, "message": str(error)}

    return guarded


@contextmanager
def acting_as_owner(folder: Path, *, refuse: bool = True) -> Iterator[None]:
    """Root acts as the owner of the node's folder meanwhile, by the effective ids of this process.

    Any other account goes on as itself where it is the owner, or with `refuse=False`. Raises OtherOwnerError.
    """
    owner, user, group = _owner(folder), os.geteuid(), os.getegid()
    # the page's requests run in threads, which share one account, and it is the node's own
    in_command = threading.current_thread() is threading.main_thread()
    if owner is None or owner.st_uid == user or not in_command or (user != ROOT and not refuse):
        yield
        return
    if user != ROOT:
        raise _refusal(folder, owner.st_uid)
    try:
        os.setegid(owner.st_gid)  # first: the owner may not change it
        os.seteuid(owner.st_uid)
    except OSError as error:  # a root without that right, as in some containers
        os.setegid(group)
        raise _refusal(folder, owner.st_uid) from error
    try:
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)


def _owner(folder: Path) -> os.stat_result | None:
    """Of what the node itself has made there, as a mounted folder may be anybody's; None: nothing is there."""
    for place in (folder / "spool", folder):
        try:
            return place.stat()
        except OSError:
            continue
    return None


def _refusal(folder: Path, uid: int) -> OtherOwnerError:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"#{uid}"  # as sudo takes it
    command = shlex.join(["sudo", "-u", name, "mammonode", *sys.argv[1:]])
    return OtherOwnerError(f"{folder} belongs to {name}, and so must what is written there. As that user: {command}")
