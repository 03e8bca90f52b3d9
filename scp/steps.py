"""From a settled study to result objects on disk. Every step may be repeated and then finds its own work."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog
from pydicom.dataset import Dataset

from config.settings import Settings
from inference.case import EligibilityPolicy
from inference.pixels import read_grey
from inference.results import ModelIdentity, Status, StudyResult
from scp import audit, metrics
from scp.attempts import Attempts
from scp.composition import eligibility_policy, object_options
from scp.destinations import chosen
from scp.journal import Journal
from scp.journal_rows import InstanceRow, StudyState
from scp.objects.build import build
from scp.objects.inputs import HeatMaps, Revision
from scp.progress import refresh
from scp.result_folders import ResultFolders
from scp.result_records import Manifest, RevisionRecord
from scp.revision_folder import RevisionFolder
from scp.spool import Spool
from scp.studies import arrival_of, header_of

log = structlog.get_logger()

DEFAULT_KINDS = frozenset({"cad-sr", "tid1500", "seg"})


class StudyAnalyser(Protocol):
    """What the worker needs of inference.pipeline.Analyser."""

    def analyse_study(self, files: Sequence[Path], policy: EligibilityPolicy) -> StudyResult:
        """Analyse the images of one study. Never raises for a bad image."""
        ...

    def heat_map_source(self, files: Mapping[str, Path]) -> HeatMaps:
        """Heat maps by SOP Instance UID and module, made when asked for."""
        ...

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """Which networks are loaded."""
        ...


class Analysis:
    """Analyses and builds. `_device` lets one study at a time onto the device, however many workflows run."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        results: ResultFolders,
        journal: Journal,
        attempts: Attempts,
        analyser: StudyAnalyser,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._results = results
        self._journal = journal
        self._attempts = attempts
        self._analyser = analyser
        self._device = threading.Lock()

    def analyse(self, uid: str, digest: str) -> bool:
        """Make sure that the revision's findings are on disk. False: the study is set aside."""
        revision = self._results.revision(uid, digest)
        if self._results.is_cancelled(uid, arrival_of(self._spool.instances(uid))):
            return False
        if revision.result is not None:
            return True
        manifest = revision.manifest
        files = {instance: self._spool.studies / uid / name for instance, name in manifest.files.items()}
        if (same := self._same_scores(uid, manifest)) is not None:
            revision.write_result(_moved(same, files))
            self._journal.record_event(uid, "scores reused", "only attributes beside the pixels have changed")
            return True
        with self._device, self._attempts.counted(uid) as spent:
            if self._results.revision(uid, digest).result is not None:
                return True  # another workflow of the same revision had the device before
            if spent is not None:
                self._journal.record_study(uid, state=StudyState.FAILED, reason=spent)
                self._journal.record_event(uid, "failed", spent.text)
                return False
            policy = eligibility_policy(self._settings.eligibility, self._settings.studies.prior_days)
            with metrics.STAGE.labels("analyse").time():
                result = self._analyser.analyse_study(list(files.values()), policy)
        revision.write_result(result)
        models = {uid: str(header.get("ManufacturerModelName") or "") for uid, header in _headers(files).items()}
        metrics.count_result(result, models)
        return True

    def build(self, uid: str, digest: str) -> list[str]:
        """Make sure that the revision's objects are on disk. Returns the destinations that are to get them.

        A revision that another one has overtaken before it was built is dropped: nobody has seen it. There are none,
        either, where the study was cancelled meanwhile.
        """
        with self._results.building(uid), metrics.STAGE.labels("build").time():
            if self._results.is_cancelled(uid, arrival_of(self._spool.instances(uid))):
                return []
            current = self._results.current(uid)
            revision = self._results.revision(uid, digest)
            if revision.objects is None:
                if current is not None and current.digest != digest:
                    self._journal.record_event(uid, "overtaken", "images came while it was analysed")
                    return []
                self._build(uid, revision)
        self._record(uid, revision)
        names = self._destinations(revision)
        names += [name for name in revision.receipts() if name not in names]
        for name in names:
            if self._journal.delivery(uid, digest, name) is None:
                receipt = revision.receipt(name)
                self._journal.record_delivery(
                    uid, digest, name, state=receipt.state, objects=len(revision.objects or ()), attempts=0
                )
        refresh(self._journal, uid)
        return names

    def _destinations(self, revision: RevisionFolder) -> list[str]:
        """As they were when it was first built: what is new since gets it only by the operator's word."""
        record = revision.record
        if record is not None and record.destinations is not None:
            return list(record.destinations)
        return [item.name for item in chosen(self._settings, revision.manifest.senders)]

    def _build(self, uid: str, revision: RevisionFolder) -> None:
        result, manifest = revision.result, revision.manifest
        if result is None:
            raise FileNotFoundError(f"{revision.path / 'result.json'} is gone")
        record = revision.record or self._number(uid, manifest.senders)
        revision.write_record(record)
        files = {instance: self._spool.studies / uid / name for instance, name in manifest.files.items()}
        memory = self._settings.analysis.pixel_memory
        made = build(
            result,
            _headers(files),
            object_options(self._settings.objects, self._kinds(manifest.senders)),
            Revision(number=record.number, written=record.written, predecessor=record.predecessor),
            pictures=lambda instance: read_grey(files[instance], memory=memory).values,
            heat_maps=self._analyser.heat_map_source(files),
        )
        revision.write_objects((item.kind, item.file_name, item.dataset) for item in made)
        self._journal.record_event(uid, "built", f"revision {record.number}, {len(made)} objects")
        log.info("result built", study=uid, revision=record.number, objects=len(made))
        audit.record(self._settings.node.folder, "result-built", study=uid, revision=record.number, objects=len(made))

    def _number(self, uid: str, senders: tuple[str, ...]) -> RevisionRecord:
        before = [(item.record, item.objects) for item in self._results.revisions(uid) if item.objects is not None]
        built = sorted(((record, objects) for record, objects in before if record), key=lambda pair: pair[0].number)
        predecessor = {}
        if built:
            objects = built[-1][1] or ()
            predecessor = {item.kind: (item.sop_class_uid, item.sop_instance_uid) for item in objects}
        number = built[-1][0].number + 1 if built else 1
        names = tuple(item.name for item in chosen(self._settings, senders))
        return RevisionRecord(number=number, written=datetime.now(UTC), predecessor=predecessor, destinations=names)

    def _kinds(self, senders: tuple[str, ...]) -> frozenset[str]:
        kinds = {kind for item in chosen(self._settings, senders) for kind in item.objects}
        return frozenset(kinds) or DEFAULT_KINDS

    def _same_scores(self, uid: str, manifest: Manifest) -> StudyResult | None:
        for revision in self._results.revisions(uid):
            result = revision.result
            if result is None or result.models != self._analyser.models or result.has_failures:
                continue
            if revision.manifest.scores_digest == manifest.scores_digest and _all_known(result, manifest):
                return result
        return None

    def _record(self, uid: str, revision: RevisionFolder) -> None:
        result, record = revision.result, revision.record
        if result is None or record is None:
            raise FileNotFoundError(f"{revision.path} is incomplete")
        # what came after the result and changes nothing in it (a late excluded image) keeps its own row
        rows = {row.sop_instance_uid: row for row in self._journal.instances(uid)}
        for image in result.images:
            row = InstanceRow(uid, image.sop_instance_uid, image.sop_class_uid, image.status.value, image.reason)
            rows[image.sop_instance_uid] = row
        self._journal.record_instances(uid, list(rows.values()))
        self._journal.record_study(
            uid,
            grade=result.study.grade,
            analysed=len(result.analysed),
            excluded=sum(row.status == Status.EXCLUDED for row in rows.values()),
            failed=sum(row.status == Status.FAILED for row in rows.values()),
            revision=record.number,
            digest=revision.manifest.digest,
        )


def _moved(result: StudyResult, files: Mapping[str, Path]) -> StudyResult:
    """The same findings, of the files as they lie now."""
    images = tuple(image.model_copy(update={"file": str(files[image.sop_instance_uid])}) for image in result.images)
    return result.model_copy(update={"images": images})


def _all_known(result: StudyResult, manifest: Manifest) -> bool:
    return {image.sop_instance_uid for image in result.images} == set(manifest.files)


def _headers(files: Mapping[str, Path]) -> dict[str, Dataset]:
    found = {instance: header_of(path) for instance, path in files.items()}
    return {instance: header for instance, header in found.items() if header is not None}
