"""A study of four views with a result, as the page finds it: one finding where each lesion was drawn."""

import numpy as np
from pydicom.dataset import Dataset

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
from scp.spool import Spool

STUDY = "1.2.826.0.1.3680043.8.498.1001"
ROWS, COLUMNS = 1200, 900
LESIONS = {
    ("R", "CC"): Lesion("nodule", 520, 460, 45),
    ("R", "MLO"): Lesion("nodule", 570, 670, 45),
    ("L", "MLO"): Lesion("microcalcification", 310, 520, 40),
}
"""Centre in stored pixels."""
VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


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
