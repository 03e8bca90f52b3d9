"""The engine's parts without processes and without DBOS: a folder, a journal, and the steps one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from config.settings import Settings
from peers.fixed_scorer import FixedScorer
from scp.incoming import Sender
from scp.journal import Journal
from scp.journal_rows import StudyRow
from scp.receiver import spool_folder
from scp.revision_folder import RevisionFolder
from scp.spool import Spool
from scp.work import NodeWork


def settings_for(folder: Path, destinations: Sequence[dict[str, Any]] = (), **sections: dict[str, Any]) -> Settings:
    """Settings whose waits are short; `sections` win."""
    values: dict[str, dict[str, Any]] = {
        "node": {"folder": folder},
        "listener": {"free_space": 0},
        "studies": {"complete_quiet": 0.0, "incomplete_quiet": 600.0, "prior_days": 100000},
        "delivery": {"first_retry": 1.0, "longest_retry": 4.0, "refusal_retries": 2},
    }
    for name, section in sections.items():
        values.setdefault(name, {}).update(section)
    return Settings(destinations=list(destinations), **values)


@dataclass
class Bench:
    """One node's work, step by step."""

    settings: Settings
    analyser: FixedScorer = field(default_factory=FixedScorer)

    def __post_init__(self) -> None:
        self.journal = Journal.open(self.settings)
        self.work = NodeWork(self.settings, "bench", self.journal, self.analyser)
        self.receiver = Spool(spool_folder(self.settings), "receiver")

    def receive(self, datasets: Sequence[Dataset], sender: str = "MODALITY") -> str:
        """Spool instances as the listener does; returns the Study Instance UID."""
        for ds in datasets:
            with self.receiver.begin() as incoming:
                by = Sender(sender, "10.0.0.7", "MAMMONODE")
                meta = ds.file_meta
                syntax = meta.TransferSyntaxUID
                incoming.write_preamble(meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, syntax, by)
                incoming.write(_encoded(ds))
                self.receiver.store(incoming, ds)
        return str(datasets[0].StudyInstanceUID)

    def settle(self, study: str) -> str | None:
        """Notice and settle at once, whatever the clock says; the digest to go on with."""
        noticed = self.work.settling.notice(study)
        assert noticed is not None
        return self.work.settle(study, noticed[0])

    def run(self, study: str) -> RevisionFolder:
        """Settle, analyse, build; no delivery."""
        digest = self.settle(study)
        assert digest is not None
        assert self.work.analyse(study, digest)
        self.work.build(study, digest)
        return self.work.results.revision(study, digest)

    def deliver(self, study: str, destination: str) -> float | None:
        """One attempt."""
        row = self.row(study)
        assert row.digest is not None
        return self.work.deliver(study, row.digest, destination, row.generation)

    def row(self, study: str) -> StudyRow:
        """What the journal says."""
        row = self.journal.study(study)
        assert row is not None
        return row


def _encoded(ds: Dataset) -> bytes:
    """The data set alone, in its own transfer syntax: what follows the file meta information (PS3.10 7.1)."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    content = buffer.getvalue()
    length = int.from_bytes(content[140:144], "little")
    return content[144 + length :]
