"""A node's folder as the page finds it: a spooled study of four views with a result, without any network."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from config.settings import Settings
from inference.results import (
    Assessment,
    Finding,
    Grade,
    ImageResult,
    ModelIdentity,
    Module,
    ModuleResult,
    ModuleStatus,
    Reason,
    Status,
    StudyResult,
)
from phantoms.mammogram import mammogram
from phantoms.picture import Lesion, breast_picture
from scp.composition import object_options
from scp.incoming import Sender
from scp.journal import Journal
from scp.journal_rows import DeliveryState, InstanceRow, StudyState
from scp.objects.build import build
from scp.objects.inputs import Revision
from scp.receiver import spool_folder
from scp.result_folders import Current, Manifest, ResultFolders, RevisionRecord
from scp.spool import Spool
from scp.web.deposit import Accepted, deposit

STUDY = "1.2.826.0.1.3680043.8.498.1001"
ROWS, COLUMNS = 1200, 900
LESIONS = {
    ("R", "CC"): Lesion("nodule", 520, 460, 45),
    ("R", "MLO"): Lesion("nodule", 570, 670, 45),
    ("L", "MLO"): Lesion("microcalcification", 310, 520, 40),
}
"""Centre in stored pixels."""
DIGEST = "d" * 64
VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


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


def four_views_with_lesions(study: str = STUDY) -> list[Dataset]:
    """Deterministic images, UIDs included. The left CC is stored mirrored, as some modalities do."""
    return [_view(study, number, laterality, view) for number, (laterality, view) in enumerate(VIEWS, 1)]


def _view(study: str, number: int, laterality: str, view: str) -> Dataset:
    lesions = [LESIONS[laterality, view]] if (laterality, view) in LESIONS else []
    picture = breast_picture(ROWS, COLUMNS, laterality, view, number, lesions)
    overrides = {}
    if (laterality, view) == ("L", "CC"):
        picture = np.ascontiguousarray(picture[:, ::-1])
        overrides = {"PatientOrientation": ["P", "R"]}
    return mammogram(
        laterality,
        view,
        picture=picture,
        study_uid=study,
        series_uid=f"{study}.1",
        sop_uid=f"{study}.1.{number}",
        instance_number=number,
        **overrides,
    )


def models() -> tuple[ModelIdentity, ...]:
    """Two models, the first calibrated."""
    common = {"version": "1.0.0", "recipe_sha256": "b" * 64}
    return (
        ModelIdentity(
            module=Module.NODULE,
            name="nodule",
            weights_sha256="a" * 64,
            calibration_population="screening, 50 to 69 years",
            calibration_prevalence=0.006,
            **common,
        ),
        ModelIdentity(module=Module.MICROCALCIFICATION, name="microcalcification", weights_sha256="c" * 64, **common),
    )


def study_result(study: str, datasets: list[Dataset], spool: Spool) -> StudyResult:
    """One finding where each lesion was drawn; the left breast's negative is withheld."""
    files = {item.sop_instance_uid: item.path for item in spool.instances(study)}
    images = tuple(_image(ds, str(files[str(ds.SOPInstanceUID)])) for ds in datasets)
    withheld = Reason(
        code="view-missing",
        text="The left CC could not be read by the microcalcification module.",
        remedy="Send it again.",
    )
    return StudyResult(
        study_instance_uid=study,
        software_version="0.1.0",
        models=models(),
        images=images,
        breasts={"R": Assessment(grade=6), "L": Assessment(grade=None, withheld=withheld)},
        study=Assessment(grade=6),
    )


def _image(ds: Dataset, file: str) -> ImageResult:
    laterality, view = (
        str(ds.ImageLaterality),
        {"399162004": "CC", "399368009": "MLO"}[ds.ViewCodeSequence[0].CodeValue],
    )
    lesion = LESIONS.get((laterality, view))
    modules = tuple(_module(module, f"{laterality}{view}", str(ds.SOPInstanceUID), lesion) for module in Module)
    grades = [module.grade for module in modules if module.grade is not None]
    return ImageResult(
        sop_instance_uid=str(ds.SOPInstanceUID),
        sop_class_uid=str(ds.SOPClassUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        file=file,
        rows=ds.Rows,
        columns=ds.Columns,
        laterality=laterality,
        view=view,
        status=Status.ANALYSED,
        modules=modules,
        grade=max(grades),
    )


def _module(module: Module, name: str, sop: str, lesion: Lesion | None) -> ModuleResult:
    succeeded = ModuleStatus.SUCCEEDED
    if lesion is None or lesion.kind != module.value:
        if name == "LCC" and module is Module.MICROCALCIFICATION:
            reason = Reason(code="out-of-memory", text="The module ran out of memory.", remedy="Retry the study.")
            return ModuleResult(module=module, status=ModuleStatus.FAILED, reason=reason)
        return ModuleResult(module=module, status=succeeded, score=0.11, grade=1)
    grade: Grade = 6 if module is Module.NODULE else 4
    score = 0.97 if grade == 6 else 0.71
    probability = 0.34 if module is Module.NODULE else None
    finding = Finding(
        module=module,
        score=score,
        probability=probability,
        grade=grade,
        center=(lesion.x, lesion.y),
        box=(lesion.x - 60, lesion.y - 50, lesion.x + 60, lesion.y + 50),
        outline=tuple(
            (lesion.x + 60 * np.cos(angle), lesion.y + 50 * np.sin(angle))
            for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ),
        tracking_id=f"{name}-{module.value}-1",
        tracking_uid=f"{sop}.{grade}",
    )
    return ModuleResult(
        module=module,
        status=succeeded,
        score=score,
        probability=probability,
        grade=grade,
        findings=(finding,),
        unmarked=1,
    )
