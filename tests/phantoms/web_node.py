"""A node's folder as the page finds it: a spooled study of four views with a result, without any network."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import Dataset

from config.settings import Settings
from inference.results import StudyResult
from phantoms.web_study import STUDY, four_views_with_lesions, study_result
from scp.composition import object_options
from scp.incoming import Sender
from scp.journal import Journal
from scp.journal_rows import DeliveryState, InstanceRow, StudyState
from scp.objects.build import build
from scp.objects.inputs import Revision
from scp.receiver import spool_folder
from scp.result_folders import ResultFolders
from scp.result_records import Current, Manifest, RevisionRecord
from scp.spool import Spool
from scp.web.deposit import Accepted, deposit

DIGEST = "d" * 64


@dataclass
class WebNode:
    """What create_app needs, and what a test looks for."""

    settings: Settings
    journal: Journal
    spool: Spool
    results: ResultFolders

    @classmethod
    def make(cls, settings: Settings) -> "WebNode":
        """An empty node in settings.node.folder."""
        return cls(
            settings,
            Journal.open(settings),
            Spool(spool_folder(settings), "web-test"),
            ResultFolders(settings.node.folder / "results"),
        )

    def keep(self, datasets: list[Dataset], folder: Path) -> None:
        """Put data sets into the spool as a modality would."""
        for number, ds in enumerate(datasets):
            path = folder / f"{number}.dcm"
            ds.save_as(path, enforce_file_format=True)
            sender = Sender("MG1", "10.0.0.7", "MAMMONODE")
            kept = deposit(path, self.spool, Accepted.by(self.settings.listener), sender)
            assert kept.status == 0, kept

    def add_study(self, folder: Path, study: str = STUDY) -> StudyResult:
        """Four views with three lesions, their result and its objects, and what the journal says of them."""
        datasets = four_views_with_lesions(study)
        self.keep(datasets, folder)
        result = study_result(study, datasets, self.spool)
        revision = self.results.revision(study, DIGEST)
        files = {item.sop_instance_uid: item.path.name for item in self.spool.instances(study)}
        revision.write_manifest(Manifest(digest=DIGEST, scores_digest=DIGEST, files=files, senders=("MG1",)))
        self.results.set_current(study, Current(digest=DIGEST, content=DIGEST))
        revision.write_result(result)
        record = RevisionRecord(number=1, written=datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
        revision.write_record(record)
        headers = {str(ds.SOPInstanceUID): ds for ds in datasets}
        options = object_options(self.settings.objects, ["cad-sr", "tid1500", "seg"])
        built = build(result, headers, options, Revision(number=1, written=record.written))
        revision.write_objects((item.kind, item.file_name, item.dataset) for item in built)
        self._tell_journal(study, result, len(built))
        return result

    def _tell_journal(self, study: str, result: StudyResult, objects: int) -> None:
        images = [
            InstanceRow(study, image.sop_instance_uid, image.sop_class_uid, image.status, image.reason)
            for image in result.images
        ]
        self.journal.record_instances(study, images)
        self.journal.record_study(
            study,
            state=StudyState.DELIVERED,
            grade=result.study.grade,
            images=len(images),
            analysed=len(result.analysed),
            senders=("MG1",),
            first_received=1_772_357_000.0,
            last_received=1_772_357_040.0,
            revision=1,
            digest=DIGEST,
        )
        for event, text in (
            ("received", "4 instances"),
            ("settled", "4 of 4 to be analysed"),
            ("built", "revision 1"),
        ):
            self.journal.record_event(study, event, text)
        for destination in self.settings.destinations:
            self.journal.record_delivery(
                study,
                DIGEST,
                destination.name,
                state=DeliveryState.DELIVERED,
                objects=objects,
                stored=objects,
                attempts=1,
            )
