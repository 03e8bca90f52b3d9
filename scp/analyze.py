"""`mammonode analyze`: files in, findings and DICOM objects out, without any network."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from config.settings import Settings
from inference.pipeline import Analyser
from inference.pixels import read_grey
from inference.results import ImageResult, Reason, Status, StudyResult
from scp.composition import eligibility_policy, object_options
from scp.objects.build import Revision, build
from scp.pictures import write_picture


@dataclass
class AnalyzedStudy:
    """One study's result and the files that were written for it."""

    result: StudyResult
    objects: list[Path] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


@dataclass
class Analysis:
    """Everything `analyze` was given is in one of these: a study, or a file that is no DICOM."""

    studies: list[AnalyzedStudy] = field(default_factory=list)
    unreadable: dict[Path, Reason] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Every file was read, and no image failed."""
        images = [image for study in self.studies for image in study.result.images]
        return not self.unreadable and bool(images) and all(image.status is not Status.FAILED for image in images)

    def as_json(self) -> dict[str, Any]:
        """The documented JSON; a file that is no DICOM belongs to a study without a UID."""
        studies = [_study_json(study) for study in self.studies]
        if self.unreadable:
            images: list[dict[str, Any]] = [
                {"sop_instance_uid": None, "file": str(file), "status": "failed", "reason": reason.model_dump()}
                | {"findings": []}
                for file, reason in self.unreadable.items()
            ]
            studies.append({"study_instance_uid": None, "grade": None, "images": images, "objects": []})
        return {"studies": studies}


def analyze(
    paths: Sequence[Path],
    output: Path,
    settings: Settings,
    analyser: Analyser,
    progress: Callable[[str], None],
) -> Analysis:
    """Analyse any mix of studies and write, for each, a folder with its objects, pictures and result.json.

    `progress` is called with a line for each step. One bad file does not stop the rest.
    """
    analysis = Analysis()
    studies = _by_study(_files(paths), analysis.unreadable)
    policy = eligibility_policy(settings.eligibility, prior_days=None)
    for uid, files in studies.items():
        result = analyser.analyse_study(files, policy, progress)
        study = AnalyzedStudy(result)
        analysis.studies.append(study)
        _write(study, output / uid, settings)
        progress(f"wrote {output / uid}")
    return analysis


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
        else:
            yield path


def _by_study(files: Iterable[Path], unreadable: dict[Path, Reason]) -> dict[str, list[Path]]:
    studies: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        try:
            uid = str(
                pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["StudyInstanceUID"]).StudyInstanceUID
            )
        except (InvalidDicomError, AttributeError, OSError, EOFError, ValueError, NotImplementedError) as error:
            unreadable[file] = Reason(
                code="not-dicom",
                text=f"The file cannot be read as DICOM ({type(error).__name__}).",
                remedy="Export it again from its source as a DICOM file.",
            )
        else:
            studies[uid].append(file)
    return studies


def _write(study: AnalyzedStudy, folder: Path, settings: Settings) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    result = study.result
    (folder / "result.json").write_text(result.model_dump_json(indent=1))
    sources = {image.sop_instance_uid: _header(image) for image in result.images}
    files = {image.sop_instance_uid: Path(image.file) for image in result.images}
    memory = settings.analysis.pixel_memory
    kinds = {kind for destination in settings.destinations for kind in destination.objects}
    options = object_options(settings.objects, kinds or {"cad-sr", "tid1500", "seg"})
    revision = Revision(number=1, written=datetime.now(UTC), predecessor={})
    for made in build(result, sources, options, revision, lambda uid: read_grey(files[uid], memory=memory).values):
        path = folder / made.file_name
        made.dataset.save_as(path, enforce_file_format=True)
        study.objects.append(path)
    for image in result.analysed:
        study.pictures.append(write_picture(image, folder, memory))


def _header(image: ImageResult) -> Dataset:
    return pydicom.dcmread(image.file, stop_before_pixels=True)


def _study_json(study: AnalyzedStudy) -> dict[str, Any]:
    images = [
        {
            "sop_instance_uid": image.sop_instance_uid,
            "file": image.file,
            "status": image.status.value,
            "reason": image.reason.model_dump() if image.reason else None,
            "notes": [note.model_dump() for note in image.notes],
            "grade": image.grade,
            "findings": [json.loads(finding.model_dump_json()) for finding in image.findings],
        }
        for image in study.result.images
    ]
    return {
        "study_instance_uid": study.result.study_instance_uid,
        "grade": study.result.study.grade,
        "withheld": study.result.study.withheld.model_dump() if study.result.study.withheld else None,
        "breasts": {side: item.model_dump(mode="json") for side, item in study.result.breasts.items()},
        "models": [model.model_dump(mode="json") for model in study.result.models],
        "images": images,
        "objects": [str(path) for path in study.objects],
    }
