"""Results on disk: the truth about what was analysed, built and delivered.

    <folder>/<StudyInstanceUID>/current.json                 the revision that counts
    <folder>/<StudyInstanceUID>/digests.json                 identity of each spooled file, so as to decode it once
    <folder>/<StudyInstanceUID>/<digest16>/manifest.json     which files, from whom
                                          /result.json       findings
                                          /revision.json     number, time of writing, predecessor
                                          /objects/*.dcm     there when all are written
                                          /deliveries/*.json one receipt a destination

Everything is written aside, synced and renamed; a step that is repeated finds its own work.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from scp.durable import locked, make_folder, write_durably
from scp.leftovers import secure_remove
from scp.result_records import Current, Digests, read_record, write_record
from scp.revision_folder import RevisionFolder


class ResultFolders:
    """All results of a node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_folder(folder)

    def revision(self, study: str, digest: str) -> RevisionFolder:
        """The folder of a study's revision, there or not."""
        return RevisionFolder(self.folder / study / digest[:16])

    def revisions(self, study: str) -> Iterator[RevisionFolder]:
        """Every revision of a study."""
        return (RevisionFolder(path.parent) for path in sorted((self.folder / study).glob("*/manifest.json")))

    def current(self, study: str) -> Current | None:
        """The revision that counts, None before the first has settled."""
        return read_record(self.folder / study / "current.json", Current)

    def set_current(self, study: str, current: Current) -> None:
        """Say which revision counts."""
        write_record(self.folder / study / "current.json", current)

    def digests(self, study: str) -> Digests:
        """What is known of the identity of the study's files."""
        return read_record(self.folder / study / "digests.json", Digests) or Digests()

    def write_digests(self, study: str, digests: Digests) -> None:
        """Remember the identity of the study's files."""
        write_record(self.folder / study / "digests.json", digests)

    def cancel(self, study: str, arrival: str) -> None:
        """The operator wants no more work on what has arrived so far."""
        write_durably(self.folder / study / "cancelled", arrival.encode())

    def revive(self, study: str) -> None:
        """The operator wants it after all."""
        (self.folder / study / "cancelled").unlink(missing_ok=True)

    def is_cancelled(self, study: str, arrival: str) -> bool:
        """True after `cancel`, until `revive` or another image."""
        try:
            return (self.folder / study / "cancelled").read_text() == arrival
        except FileNotFoundError:
            return False

    def redo(self, study: str, digest: str) -> None:
        """The operator wants this revision's images analysed once more."""
        write_durably(self.folder / study / "redo", digest.encode())

    def is_to_be_redone(self, study: str, digest: str) -> bool:
        """True after `redo` of this revision, for ever: another one takes its place."""
        try:
            return (self.folder / study / "redo").read_text() == digest
        except FileNotFoundError:
            return False

    def keep_until(self, study: str, moment: float) -> None:
        """Promise to keep the study until then (s since 1970)."""
        longest = max(moment, self.kept_until(study) or 0.0)
        write_durably(self.folder / study / "keep-until", repr(longest).encode())

    def kept_until(self, study: str) -> float | None:
        """Until when the study was promised to be kept, None if nobody was."""
        try:
            return float((self.folder / study / "keep-until").read_text())
        except FileNotFoundError:
            return None

    def building(self, study: str) -> AbstractContextManager[None]:
        """One at a time for a study: decides which revision counts, and which number it gets."""
        return locked(self.folder / study / ".lock")

    def begin_removal(self, study: str, files: Iterable[str]) -> None:
        """The study goes, with these files of the spool; what comes meanwhile is another study's beginning."""
        write_durably(self.folder / study / "removing", "\n".join(files).encode())

    def removing(self, study: str) -> tuple[str, ...] | None:
        """Which files of the spool go with a study whose removal has begun; None if it has not."""
        try:
            return tuple((self.folder / study / "removing").read_text().splitlines())
        except FileNotFoundError:
            return None

    def has(self, study: str) -> bool:
        """True while anything is kept of the study's results."""
        return (self.folder / study).is_dir()

    def study_uids(self) -> Iterator[str]:
        """Every study that has a folder."""
        return (path.name for path in sorted(self.folder.iterdir()))

    def remove(self, study: str) -> None:
        """Delete everything about a study securely (retention): results name the patient."""
        if (self.folder / study).is_dir():
            secure_remove(self.folder / study)
