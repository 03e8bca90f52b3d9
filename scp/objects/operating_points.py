"""CAD operating points (TID 4023): the standard home of the paper's grades in a Mammography CAD SR.

A workstation that knows them lets the reader move between four thresholds; 1 is the most specific (grade 6).
"""

from inference.results import Grade, Module, StudyResult
from scp.objects.codes import OPERATING_POINTS
from scp.objects.content_tree import CONTAINS, HAS_PROPERTIES, Code, Item, code, container, num, text

CAD_OPERATING_POINT = Code("111071", "DCM", "CAD Operating Point")
MAXIMUM_OPERATING_POINT = Code("111072", "DCM", "Maximum CAD Operating Point")
RECOMMENDED_OPERATING_POINT = Code("111092", "DCM", "Recommended CAD Operating Point")
OPERATING_POINT_DESCRIPTION = Code("111081", "DCM", "CAD Operating Point Description")
OPERATING_POINT_TABLE = Code("111093", "DCM", "CAD Operating Point Table")
X_CONCEPT = Code("122698", "DCM", "X-Concept")
Y_CONCEPT = Code("122699", "DCM", "Y-Concept")
IMAGE_SPECIFICITY = Code("111091", "DCM", "Image Specificity")
LESION_SENSITIVITY = Code("111089", "DCM", "Lesion Sensitivity")
ARBITRARY_UNIT = Code("[arb'U]", "UCUM", "arbitrary unit")
ZERO_TO_N = Code("{0:n}", "UCUM", "range: 0:n")
ONE_TO_N = Code("{1:n}", "UCUM", "range: 1:n")

_RECOMMENDED: Grade = 4
"""Marks from grade 4, as the node marks by default."""


def operating_point(grade: Grade) -> Item:
    """The operating point at and above which a finding is shown."""
    return num(HAS_PROPERTIES, CAD_OPERATING_POINT, OPERATING_POINTS[grade], ONE_TO_N)


def operating_point_items(result: StudyResult, module: Module) -> list[Item]:
    """TID 4023 of one detector. The figures are of images, from the model's own evaluation, and stand in words."""
    table = container(HAS_PROPERTIES, OPERATING_POINT_TABLE)
    table.add(code(CONTAINS, X_CONCEPT, IMAGE_SPECIFICITY), code(CONTAINS, Y_CONCEPT, LESION_SENSITIVITY))
    table.add(_row(0, "0: no marks"))
    for grade, number in OPERATING_POINTS.items():
        table.add(_row(number, f"{number}: grade {grade} and above{_figures(result, module, grade)}"))
    return [
        num(HAS_PROPERTIES, MAXIMUM_OPERATING_POINT, max(OPERATING_POINTS.values()), ARBITRARY_UNIT),
        num(HAS_PROPERTIES, RECOMMENDED_OPERATING_POINT, OPERATING_POINTS[_RECOMMENDED], ZERO_TO_N),
        table,
    ]


def _row(number: int, words: str) -> Item:
    return num(CONTAINS, CAD_OPERATING_POINT, number, ZERO_TO_N).add(
        text(HAS_PROPERTIES, OPERATING_POINT_DESCRIPTION, words)
    )


def _figures(result: StudyResult, module: Module, grade: Grade) -> str:
    point = next((p for p in result.operating_points.get(module, ()) if p.grade == grade), None)
    if point is None:
        return ""
    return f"; image specificity {point.specificity * 100:.1f} %, image sensitivity {point.sensitivity * 100:.1f} %"
