"""How often a study has taken its worker process down with it: counted on disk, since the process is gone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.results import Reason
from scp.durable import write_durably


class Attempts:
    """Counts a beginning before it begins and forgets it when it ends; what remains was killed or has crashed."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._running: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def counted(self, study: str) -> Iterator[Reason | None]:
        """Yields None, or why the study must not be touched again. An exception is no crash."""
        begun = self._begun(study)
        if begun >= self._limit:
            yield worker_crash(begun)
            return
        write_durably(self._path(study), str(begun + 1).encode())
        with self._lock:
            self._running.add(study)
        try:
            yield None
        finally:
            with self._lock:
                self._running.discard(study)
            self.forget(study)

    def forget(self, study: str) -> None:
        """Begin again from nought (it went well, or the operator says retry)."""
        self._path(study).unlink(missing_ok=True)

    def interrupted(self) -> None:
        """This process ends on purpose: what is running has not crashed."""
        with self._lock:
            for study in self._running:
                begun = self._begun(study)
                write_durably(self._path(study), str(max(0, begun - 1)).encode())

    def _begun(self, study: str) -> int:
        try:
            return int(self._path(study).read_text() or 0)
        except FileNotFoundError:
            return 0

    def _path(self, study: str) -> Path:
        return self._folder / study


def worker_crash(times: int) -> Reason:
    """Why a study is set aside."""
    return Reason(
        code="worker-crash",
        text=f"The worker process died {times} times while it worked on this study; it is set aside.",
        remedy="Report the study to the developers; after an update: mammonode retry STUDY.",
    )
