"""From 'something new' to 'this is the study': when to wait, when to go on, and with what."""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from config.settings import Settings
from inference.results import Reason, Status
from scp import audit
from scp.attempts import Attempts
from scp.composition import eligibility_policy
from scp.journal import Journal
from scp.journal_rows import InstanceRow, StudyState
from scp.result_folders import ResultFolders
from scp.result_records import Current, Digests, FileIdentity
from scp.spool import Spool, SpooledInstance
from scp.studies import TWO_PATIENTS, SpooledStudy, assemble, known_identities, sender_of
from scp.words import counted

log = structlog.get_logger()

PRIOR = "prior"

NO_MAMMOGRAPHY = Reason(
    code="no-mammography",
    text="The study holds no mammogram.",
    remedy="See to the routing rule of the sender: only Modality MG is of use here.",
)


class Settling:
    """Looks at a study's files: `notice` when something arrived, `settle` when nothing more is waited for."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        results: ResultFolders,
        journal: Journal,
        attempts: Attempts,
        identify: Callable[[Path], FileIdentity],
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._results = results
        self._journal = journal
        self._attempts = attempts
        self._identify = identify

    def notice(self, uid: str) -> tuple[str, float] | None:
        """Write down what has arrived. Returns (arrival, due), None when no file is left of the study.

        None as well while it is being removed: what comes meanwhile is noticed when that is over.
        """
        if self._results.removing(uid) is not None:
            return None
        seen = self.stamp(uid)
        study = self._load(uid)
        if not study.instances:
            return None
        due = study.due(self._settings.studies)
        before = self._journal.study(uid)
        known_until = (before.last_received or 0.0) if before else 0.0
        if before is None or study.last_received > known_until:
            self._journal.record_study(
                uid,
                state=StudyState.WAITING,
                reason=None,
                images=len(study.instances),
                senders=study.senders,
                first_received=study.first_received,
                last_received=study.last_received,
                due=due,
            )
            self._record_instances(study)
            self._journal.record_event(uid, "received", counted(len(study.instances), "instance"))
            self._audit([item for item in study.instances if item.received.timestamp() > known_until])
        elif before.due is not None:
            due = min(due, before.due)  # an operator need not wait for what may still come
        self._journal.record_study(uid, seen=seen)
        return study.arrival, due

    def stamp(self, uid: str) -> int:
        """Changes whenever a file of the study is added (modification time of its folder, ns); 0 if there is none."""
        try:
            return (self._spool.studies / uid).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def settle(self, uid: str, arrival: str) -> str | None:
        """Decide what the study is. Returns the digest of the revision to analyse or deliver, None if there is none.

        None: more has arrived since (its own wake-up follows), it is cancelled, or it ends here and says why.
        """
        study = self._load(uid)
        if not study.instances or study.arrival != arrival:
            return None
        self._record_instances(study)
        if self._results.is_cancelled(uid, arrival):
            self._journal.record_study(uid, state=StudyState.CANCELLED, due=None)
            return None
        if (ending := ending_of(study)) is not None:
            self._end(study, *ending)
            return None
        with self._attempts.counted(uid) as spent:
            if spent is not None:
                self._end(study, StudyState.FAILED, spent)
                return None
            digest = self._begin_revision(study)
        self._journal.record_study(uid, state=StudyState.ANALYSING, reason=None, due=None, digest=digest, revision=0)
        self._journal.record_event(uid, "settled", f"{len(study.eligible)} of {len(study.instances)} to be analysed")
        log.info("study settled", study=uid, instances=len(study.instances), to_be_analysed=len(study.eligible))
        return digest

    def _audit(self, new: Sequence[SpooledInstance]) -> None:
        """Who sent what."""
        for item in new:
            sender = sender_of(item.path)
            audit.record(
                self._settings.node.folder,
                "instance-received",
                study=item.study_instance_uid,
                instance=item.sop_instance_uid,
                received=item.received.isoformat(),
                ae_title=sender.ae_title,
                address=sender.address,
                called=sender.called_ae_title,
            )

    def _begin_revision(self, study: SpooledStudy) -> str:
        known = self._results.digests(study.uid).files
        identities = known_identities(study.eligible, known, self._identify)
        if identities.keys() - known.keys():
            self._results.write_digests(study.uid, Digests(files={**known, **identities}))
        manifest = study.manifest(identities)
        with self._results.building(study.uid):
            digest = self._revision_digest(study.uid, manifest.digest)
            # files of the same images under other names (sent again, re-encoded) take the place of the old ones
            revision = self._results.revision(study.uid, digest)
            revision.write_manifest(manifest.model_copy(update={"digest": digest}))
            self._results.set_current(study.uid, Current(digest=digest, content=manifest.digest))
        return digest

    def _revision_digest(self, uid: str, content: str) -> str:
        """The same images are the same revision, unless another was built in between (a correction taken back), or
        the operator wants them analysed once more.
        """
        current = self._results.current(uid)
        redo = current is not None and self._results.is_to_be_redone(uid, current.digest)
        if current is not None and current.content == content and not redo:
            return current.digest
        if current is not None and (redo or self._results.revision(uid, content).objects is not None):
            return hashlib.sha256(f"{content} after {current.digest}".encode()).hexdigest()
        return content

    def _load(self, uid: str) -> SpooledStudy:
        policy = eligibility_policy(self._settings.eligibility, self._settings.studies.prior_days)
        return assemble(uid, self._spool.instances(uid), policy)

    def _record_instances(self, study: SpooledStudy) -> None:
        """Show each instance; how an analysis has ended is left as it stands."""
        rows = {row.sop_instance_uid: row for row in self._journal.instances(study.uid)}
        for item in study.instances:
            uid = item.sop_instance_uid
            if uid in rows and rows[uid].status in (Status.ANALYSED, Status.FAILED):
                continue
            header, reason = study.headers.get(uid), study.excluded.get(uid)
            sop_class = str(header.SOPClassUID) if header is not None else ""
            rows[uid] = InstanceRow(study.uid, uid, sop_class, Status.EXCLUDED if reason else "received", reason)
        self._journal.record_instances(study.uid, list(rows.values()))
        self._journal.record_study(study.uid, excluded=len(study.excluded))

    def _end(self, study: SpooledStudy, state: StudyState, reason: Reason) -> None:
        self._journal.record_study(study.uid, state=state, reason=reason, due=None, revision=0)
        self._journal.record_event(study.uid, state.value, f"{reason.text} {reason.remedy}".strip())
        log.info("study ended without a result", study=study.uid, state=state.value, reason=reason.code)


def ending_of(study: SpooledStudy) -> tuple[StudyState, Reason] | None:
    """How a study ends of which nothing is analysed or sent; None when there is something to do."""
    if study.has_two_patients:
        return StudyState.FAILED, TWO_PATIENTS
    if not study.is_mammography:
        return StudyState.EXCLUDED, NO_MAMMOGRAPHY
    reasons = list(study.excluded.values())
    if not study.eligible and (priors := [reason for reason in reasons if reason.code == PRIOR]):
        return StudyState.EXCLUDED, priors[0]
    return None


def seconds_until(due: float) -> float:
    """From a time (s since 1970) to a delay, never negative."""
    return max(0.0, due - time.time())
