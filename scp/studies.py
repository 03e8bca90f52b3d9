"""A study as it lies in the spool: its headers, which images count, when it is complete, what it is."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from config.analysis import Studies
from inference.case import EligibilityPolicy
from inference.eligibility import Verdict, complete, judge_study
from inference.grades import NO_BREAST
from inference.results import Reason
from scp.incoming import Sender
from scp.instances import SKIPPED
from scp.result_records import FileIdentity, Manifest
from scp.spool import SpooledInstance

MAMMOGRAPHY = "MG"

TWO_PATIENTS = Reason(
    code="two-patients",
    text="The study holds images of two patients.",
    remedy="Correct the patient in the PACS and send the whole study again; nothing was analysed.",
)


@dataclass(frozen=True)
class SpooledStudy:
    """The latest version of every instance, with headers (no pixels) of those that can be read."""

    uid: str
    instances: tuple[SpooledInstance, ...]
    headers: Mapping[str, Dataset]
    verdicts: Mapping[str, Verdict]

    @property
    def arrival(self) -> str:
        """Digest of which files lie there: another one as soon as anything more arrives."""
        return arrival_of(self.instances)

    @property
    def last_received(self) -> float:
        """When the last instance came, seconds since 1970."""
        return max(instance.received.timestamp() for instance in self.instances)

    @property
    def first_received(self) -> float:
        """When the first instance came, seconds since 1970."""
        return min(instance.received.timestamp() for instance in self.instances)

    @property
    def senders(self) -> tuple[str, ...]:
        """Calling AE titles, sorted."""
        return tuple(sorted({sender_of(instance.path).ae_title for instance in self.instances} - {""}))

    @property
    def eligible(self) -> tuple[SpooledInstance, ...]:
        """What is to be analysed: all but the excluded. A file without a readable header will end as failed."""
        return tuple(
            instance
            for instance in self.instances
            if instance.sop_instance_uid not in self.verdicts or self.verdicts[instance.sop_instance_uid].eligible
        )

    @property
    def excluded(self) -> Mapping[str, Reason]:
        """Reasons by SOP Instance UID."""
        return {uid: verdict.reason for uid, verdict in self.verdicts.items() if verdict.reason is not None}

    @property
    def has_two_patients(self) -> bool:
        """True when images name two patients, by ID and issuer, or by name where no ID is given."""
        return len({_patient(header) for header in self.headers.values()} - {None}) > 1

    @property
    def is_mammography(self) -> bool:
        """At least one instance is of Modality MG, or cannot be read and may be: of nothing else nothing is sent."""
        is_unknown = len(self.headers) < len(self.instances)
        return is_unknown or any(header.get("Modality") == MAMMOGRAPHY for header in self.headers.values())

    @property
    def _open(self) -> list[str]:
        """Breasts of excluded images without an eligible one; '?' for an image that does not say which it shows."""
        seen = {verdict.laterality for verdict in self.verdicts.values() if verdict.eligible}
        if {"L", "R"} <= seen:
            return []
        excluded = [verdict for verdict in self.verdicts.values() if verdict.reason is not None]
        shown = {
            verdict.laterality for verdict in excluded if verdict.reason and verdict.reason.code not in NO_BREAST
        }
        return sorted(side or "?" for side in shown if side is None or side not in seen)

    def due(self, quiet: Studies) -> float:
        """When nothing more need be waited for, seconds since 1970. A clock set back makes no wait longer."""
        is_complete = complete(self.verdicts.values())
        return min(self.last_received, time.time()) + (
            quiet.complete_quiet if is_complete else quiet.incomplete_quiet
        )

    def manifest(self, identities: Mapping[str, FileIdentity]) -> Manifest:
        """What a revision is made from; `identities` by file name, of every eligible instance.

        Only eligible instances make the digest, and which breasts stay open because none of their images is eligible:
        any other excluded instance that comes late changes no result.
        """
        found = [(item.sop_instance_uid, identities[item.path.name]) for item in self.eligible]
        nothing = sorted({str(_patient(header)) for header in self.headers.values()})
        return Manifest(
            digest=_digest([*(sorted(f"{uid} {item.instance}" for uid, item in found) or nothing), *self._open]),
            scores_digest=_digest(sorted(f"{uid} {item.scores}" for uid, item in found)),
            files={item.sop_instance_uid: item.path.name for item in self.instances},
            senders=self.senders,
        )


def assemble(uid: str, instances: Sequence[SpooledInstance], policy: EligibilityPolicy) -> SpooledStudy:
    """Read the headers and judge them."""
    found = ((instance, header_of(instance.path)) for instance in instances)
    headers = {instance.sop_instance_uid: header for instance, header in found if header is not None}
    return SpooledStudy(uid, tuple(instances), headers, judge_study(tuple(headers.values()), policy))


def arrival_of(instances: Iterable[SpooledInstance]) -> str:
    """Digest of which files lie in the spool."""
    return _digest(instance.path.name for instance in instances)


@lru_cache(maxsize=512)
def header_of(path: Path) -> Dataset | None:
    """The header of a spooled file, which never changes; None if it is gone or damaged.

    Values above SKIPPED bytes stay in the file until they are asked for: many headers are kept. Raises OSError: the
    disk, or the number of open files, is in trouble; that says nothing of the image.
    """
    try:
        return dcmread(path, stop_before_pixels=True, defer_size=SKIPPED)
    except (InvalidDicomError, FileNotFoundError, ValueError, NotImplementedError):
        # reported as a failed image by the analysis, which reads it again
        return None


def readable_header(path: Path) -> Dataset | None:
    """As header_of, and None where the disk is in trouble: for a page, which shows what it can."""
    try:
        return header_of(path)
    except OSError:
        return None


def known_identities(
    instances: Iterable[SpooledInstance],
    known: Mapping[str, FileIdentity],
    identify: Callable[[Path], FileIdentity],
) -> dict[str, FileIdentity]:
    """Identities by file name, those of `known` without decoding anything again."""
    return {item.path.name: known.get(item.path.name) or identify(item.path) for item in instances}


def _patient(header: Dataset) -> tuple[str, str] | None:
    if identifier := str(header.get("PatientID") or "").strip():
        return identifier, str(header.get("IssuerOfPatientID") or "").strip()
    name = str(header.get("PatientName") or "").strip()
    return (name, "") if name else None


@lru_cache(maxsize=4096)
def sender_of(path: Path) -> Sender:
    """Who gave a spooled file; empty where it can no longer be read."""
    header = header_of(path)
    if header is None:
        return Sender("", "", "")
    meta = header.file_meta
    return Sender(
        str(meta.get("SendingApplicationEntityTitle", "")),
        str(meta.get("SourcePresentationAddress", "")),
        str(meta.get("ReceivingApplicationEntityTitle", "")),
    )


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
