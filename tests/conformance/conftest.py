"""Every object of every case, written once, and PixelMed's word on all reports (it takes seconds a file)."""

import itertools
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from inference.results import StudyResult
from peers.validators import pixelmed
from phantoms.files import named
from phantoms.mammogram import four_views
from phantoms.results import CASES, WRITTEN, case_result, image_result, lesion, study_result
from scp.objects.build import build
from scp.objects.context import NEVER_ABSENT
from scp.objects.inputs import ObjectOptions, Revision

KINDS = frozenset({"cad-sr", "tid1500", "seg", "heatmap", "gsps", "secondary-capture", "pdf", "kos"})
NAMES: dict[str, tuple[str | list[str], str]] = {
    "latin-1": ("ISO_IR 100", "Müller^Åse"),
    "utf-8": ("ISO_IR 192", "Łuczak^Żaneta"),
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Hanako=山田^花子=やまだ^はなこ"),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "settings": {
        "operating_points": True,
        "comprehensive_3d": False,
        "hydratable": True,
        "plane_orientation": True,
        "assessment_category": False,
    },
    "label-map": {"labelmap": True},
}


@dataclass(frozen=True)
class Written:
    """One object on disk. `study` is the case it belongs to."""

    study: str
    kind: str
    path: Path

    @property
    def dataset(self) -> Dataset:
        """Read again."""
        return pydicom.dcmread(self.path)


def headers(views: Sequence[Dataset]) -> list[Dataset]:
    """Copies without pixels, to be changed."""
    copies = [deepcopy(view) for view in views]
    for copy in copies:
        del copy.PixelData
    return copies


def without_identity(views: Sequence[Dataset]) -> list[Dataset]:
    """As a hard de-identification leaves them."""
    bare = headers(views)
    for view in bare:
        for keyword in (*NEVER_ABSENT, "RequestAttributesSequence", "ProcedureCodeSequence", "InstitutionName"):
            if keyword in view:
                delattr(view, keyword)
    return bare


def calibrated(views: Sequence[Dataset]) -> StudyResult:
    """One mark with a probability."""
    marked = lesion("RCC-nodule-1", (60.0, 80.0), probability=0.42)
    return study_result([image_result(views[0], [marked]), *map(image_result, views[1:])], views[0].StudyInstanceUID)


@pytest.fixture(scope="session")
def drawn_views() -> list[Dataset]:
    """R CC, L CC, R MLO, L MLO with pixels."""
    return four_views(rows=200, columns=160, study_date="20260301")


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Written]]:
    """Builds a study's objects and writes them to a folder of its own."""
    root = tmp_path_factory.mktemp("objects")
    numbers = itertools.count()

    def study(name: str, views: list[Dataset], result: StudyResult, **options: Any) -> list[Written]:
        folder = root / f"{next(numbers):02d}-{name}"
        folder.mkdir()
        made = build(
            result,
            {view.SOPInstanceUID: view for view in views},
            ObjectOptions(kinds=KINDS, **options),
            Revision(1, WRITTEN),
            pictures=lambda _: np.full((200, 160), 90, np.uint8),
            heat_maps=lambda _, module: np.linspace(0, 1, 200 * 160).reshape(200, 160),
        )
        written = []
        for item in made:
            written.append(Written(name, item.kind, folder / item.file_name))
            item.dataset.save_as(written[-1].path, enforce_file_format=True)
        return written

    return study


@pytest.fixture(scope="session")
def written(drawn_views: list[Dataset], write: Callable[..., list[Written]]) -> list[Written]:
    """Cases x identities x settings."""
    plain = headers(drawn_views)
    objects = [item for case in CASES for item in write(case, plain, case_result(case, plain))]
    bare = without_identity(drawn_views)
    objects += write("missing-identity", bare, case_result("many", bare))
    for name, (character_set, patient) in NAMES.items():
        views = [named(view, character_set, patient) for view in headers(drawn_views)]
        objects += write(name, views, case_result("many", views))
    for name, options in SETTINGS.items():
        objects += write(name, plain, case_result("many", plain), **options)
    predecessor = calibrated(plain)
    return objects + write("calibrated", plain, predecessor)


@pytest.fixture(scope="session")
def templates(written: list[Written], faulty: dict[str, Path]) -> dict[Path, list[str]]:
    """PixelMed on every report whose tree differs, and on the planted faults. Names change no tree."""
    reports = [item.path for item in written if item.kind in ("cad-sr", "tid1500") and item.study not in NAMES]
    keys = [item.path for item in written if item.kind == "kos" and item.study == "many"]
    return pixelmed([*reports, *keys, *faulty.values()])


@pytest.fixture(scope="session")
def faulty(written: list[Written], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A CAD SR with each of the planted faults."""
    folder = tmp_path_factory.mktemp("faulty")
    (sound,) = (item for item in written if (item.study, item.kind) == ("one", "cad-sr"))
    paths = {}
    for name, plant in FAULTS.items():
        ds = sound.dataset
        plant(ds)
        paths[name] = folder / f"{name}.dcm"
        ds.save_as(paths[name], enforce_file_format=True)
    return paths


def item_named(ds: Dataset, value: str) -> Dataset:
    """The first content item below with that code value as its concept name."""
    for item in ds.get("ContentSequence", ()):
        concept = item.get("ConceptNameCodeSequence")
        if concept and concept[0].CodeValue == value:
            return item
        try:
            return item_named(item, value)
        except LookupError:
            continue
    raise LookupError(value)


def drop(parent: str, child: str) -> Callable[[Dataset], None]:
    """Plants the fault that an item is missing."""

    def plant(ds: Dataset) -> None:
        box = item_named(ds, parent) if parent else ds
        box.ContentSequence.remove(item_named(box, child))

    return plant


def recode(name: str, value: str, meaning: str) -> Callable[[Dataset], None]:
    """Plants a value from outside the context group."""

    def plant(ds: Dataset) -> None:
        coded = item_named(ds, name).ConceptCodeSequence[0]
        coded.CodeValue, coded.CodeMeaning = value, meaning

    return plant


def relate(name: str, relationship: str) -> Callable[[Dataset], None]:
    """Plants a wrong relationship."""

    def plant(ds: Dataset) -> None:
        item_named(ds, name).RelationshipType = relationship

    return plant


def over_hundred(ds: Dataset) -> None:
    """Plants a certainty of 140 %."""
    item_named(ds, "111012").MeasuredValueSequence[0].NumericValue = "140"


def no_evidence(ds: Dataset) -> None:
    """Plants images that are referred to without evidence."""
    del ds.CurrentRequestedProcedureEvidenceSequence


FAULTS: dict[str, Callable[[Dataset], None]] = {
    "no-rendering-intent": drop("111059", "111056"),
    "no-center": drop("111059", "111010"),
    "no-algorithm-name": drop("111059", "111001"),
    "no-summary-of-detections": drop("", "111064"),
    "no-summary-of-analyses": drop("", "111065"),
    "mass-by-its-other-code": recode("111059", "129788004", "Mammographic breast mass"),
    "unknown-summary": recode("111017", "111222", "Succeeded"),
    "wrong-relationship": relate("111041", "CONTAINS"),
    "certainty-over-100": over_hundred,
    "no-evidence": no_evidence,
}
