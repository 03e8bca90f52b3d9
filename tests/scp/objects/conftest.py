"""Four synthetic views without pixels, and a way to build every object of a case from them."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.results import StudyResult
from phantoms.mammogram import four_views
from phantoms.results import WRITTEN, case_result
from scp.objects.build import build
from scp.objects.content_tree import Code
from scp.objects.identity import content_digest
from scp.objects.inputs import Inputs, ObjectOptions, ResultObject, Revision

KINDS = frozenset({"cad-sr", "tid1500", "seg", "heatmap", "gsps", "secondary-capture", "pdf", "kos"})
ROWS, COLUMNS = 200, 160

Build = Callable[..., tuple[ResultObject, ...]]


@pytest.fixture(scope="session")
def drawn_views() -> list[Dataset]:
    """Made once: nobody may change them."""
    return four_views(rows=ROWS, columns=COLUMNS, study_date="20260301")


@pytest.fixture
def views(drawn_views: list[Dataset]) -> list[Dataset]:
    """Headers of R CC, L CC, R MLO, L MLO, to be changed at will."""
    headers = [deepcopy(view) for view in drawn_views]
    for header in headers:
        del header.PixelData
    return headers


@pytest.fixture
def build_case(views: list[Dataset]) -> Build:
    """`build_case("many", kinds=["cad-sr"], hydratable=True)`; `result` replaces the case's."""

    def objects(
        case: str = "many",
        *,
        kinds: Iterable[str] = KINDS,
        result: StudyResult | None = None,
        revision: Revision | None = None,
        **options: Any,
    ) -> tuple[ResultObject, ...]:
        return build(
            result or case_result(case, views),
            {view.SOPInstanceUID: view for view in views},
            ObjectOptions(kinds=frozenset(kinds), **options),
            revision or Revision(1, WRITTEN),
            pictures=lambda _: np.full((ROWS, COLUMNS), 90, np.uint8),
            heat_maps=lambda _, module: np.linspace(0, 1, ROWS * COLUMNS).reshape(ROWS, COLUMNS),
        )

    return objects


@pytest.fixture
def one_of(build_case: Build) -> Callable[..., Dataset]:
    """The first object of one kind: `one_of("cad-sr", "none")`."""

    def first(kind: str, case: str = "many", **keywords: Any) -> Dataset:
        return build_case(case, kinds=[kind], **keywords)[0].dataset

    return first


@pytest.fixture
def inputs_of(views: list[Dataset]) -> Callable[..., Inputs]:
    """The builders' own inputs for a case."""

    def inputs(case: str = "many", **options: Any) -> Inputs:
        sources = {view.SOPInstanceUID: view for view in views}
        made = Inputs(case_result(case, views), sources, ObjectOptions(**options), Revision(1, WRITTEN))
        return dataclasses.replace(made, digest=content_digest(made))

    return inputs


@pytest.fixture
def find() -> Callable[[Dataset, Code | str], list[Dataset]]:
    """Every content item below with this concept name (a Code, or a code value)."""

    def items(ds: Dataset, name: Code | str) -> list[Dataset]:
        wanted = name if isinstance(name, str) else name.value
        found = []
        for item in ds.get("ContentSequence", ()):
            if item.get("ConceptNameCodeSequence") and item.ConceptNameCodeSequence[0].CodeValue == wanted:
                found.append(item)
            found.extend(items(item, name))
        return found

    return items


@pytest.fixture
def coded() -> Callable[[Sequence[Dataset]], list[str]]:
    """The code values that CODE items say."""
    return lambda items: [item.ConceptCodeSequence[0].CodeValue for item in items]
