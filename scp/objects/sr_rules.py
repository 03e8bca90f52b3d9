"""Rules of SR content trees (PS3.3 A.35, C.17.3) and of what ours may say."""

import math
from collections.abc import Iterator

from pydicom import Dataset

from scp.objects import codes
from scp.objects.content_tree import Code
from scp.objects.inputs import Inputs

_ANY_LEAF = frozenset({"TEXT", "CODE", "NUM", "DATETIME", "DATE", "TIME", "UIDREF", "PNAME", "COMPOSITE", "IMAGE"})
_TARGETS = {  # relationship: value types it may lead to (A.35.3.3.1.2, A.35.5.3.1.2, A.35.13.3.1.2)
    "CONTAINS": _ANY_LEAF | {"SCOORD", "CONTAINER"},
    "HAS OBS CONTEXT": _ANY_LEAF | {"CONTAINER"},
    "HAS ACQ CONTEXT": _ANY_LEAF | {"CONTAINER"},
    "HAS CONCEPT MOD": frozenset({"TEXT", "CODE"}),
    "HAS PROPERTIES": _ANY_LEAF | {"SCOORD", "CONTAINER"},
    "INFERRED FROM": _ANY_LEAF | {"SCOORD", "CONTAINER"},
    "SELECTED FROM": frozenset({"IMAGE", "SCOORD"}),
}
_SOURCES = {  # relationship: value types it may come from
    "CONTAINS": frozenset({"CONTAINER"}),
    "HAS ACQ CONTEXT": frozenset({"CONTAINER", "IMAGE", "COMPOSITE", "NUM"}),
    "HAS PROPERTIES": frozenset({"TEXT", "CODE", "NUM"}),
    "INFERRED FROM": frozenset({"TEXT", "CODE", "NUM"}),
    "SELECTED FROM": frozenset({"SCOORD"}),
}
_VALUES = {
    "TEXT": "TextValue",
    "CODE": "ConceptCodeSequence",
    "NUM": "MeasuredValueSequence",
    "UIDREF": "UID",
    "DATE": "Date",
    "TIME": "Time",
    "IMAGE": "ReferencedSOPSequence",
    "SCOORD": "GraphicData",
    "CONTAINER": "ContinuityOfContent",
}
_PER_CENT = {codes.CERTAINTY_OF_FINDING.value, codes.PROBABILITY_OF_CANCER.value}
_WITH_FINDINGS = {codes.SUCCEEDED_WITH_FINDINGS.value, codes.PARTLY_WITH_FINDINGS.value}


def sr_problems(kind: str, ds: Dataset, inputs: Inputs) -> Iterator[str]:
    """Everything wrong with the tree of a report or key object selection."""
    yield from _tree(ds, ds, _evidence(ds), inputs)
    if kind == "kos":
        return
    if (ds.get("CompletionFlag"), ds.get("VerificationFlag")) != ("COMPLETE", "UNVERIFIED"):
        yield "a machine's report must be COMPLETE and UNVERIFIED"
    yield from _tracking(ds, inputs)
    yield from _claims(ds, inputs)


def _tree(root: Dataset, parent: Dataset, evidence: set[str], inputs: Inputs) -> Iterator[str]:
    for item in parent.get("ContentSequence") or []:
        relationship = str(item.get("RelationshipType") or "")
        target = _target(root, item)
        if target is None:
            yield "a by-reference item points at nothing"
            continue
        value_type = str(target.get("ValueType") or "")
        if value_type not in _TARGETS.get(relationship, ()):
            yield f"{relationship or 'no relationship'} may not lead to {value_type or 'nothing'}"
        if parent.get("ValueType") not in _SOURCES.get(relationship, {parent.get("ValueType")}):
            yield f"{relationship} may not come from {parent.get('ValueType')}"
        if target is item:
            yield from _value(root, item, evidence, inputs)
            yield from _tree(root, item, evidence, inputs)


def _target(root: Dataset, item: Dataset) -> Dataset | None:
    """The item itself, or what it refers to by position; None where there is no such item."""
    position = item.get("ReferencedContentItemIdentifier")
    if position is None:
        return item
    steps = [position] if isinstance(position, int) else list(position)
    found = root
    for step in steps[1:]:
        children = found.get("ContentSequence") or []
        if not 1 <= step <= len(children):
            return None
        found = children[step - 1]
    return found if found is not root and "ValueType" in found else None


def _value(root: Dataset, item: Dataset, evidence: set[str], inputs: Inputs) -> Iterator[str]:
    value_type = str(item.get("ValueType") or "")
    keyword = _VALUES.get(value_type)
    if keyword is None or keyword not in item or item[keyword].is_empty:
        yield f"a {value_type or 'nameless'} item has no value"
        return
    if value_type not in ("IMAGE", "CONTAINER") and not item.get("ConceptNameCodeSequence"):
        yield f"a {value_type} item has no concept name"
    if value_type == "NUM":
        yield from _number(item)
    elif value_type == "IMAGE":
        uid = item.ReferencedSOPSequence[0].get("ReferencedSOPInstanceUID")
        if uid not in evidence:
            yield f"image {uid} is not in the evidence"
    elif value_type == "SCOORD":
        yield from _coordinates(root, item, inputs)


def _number(item: Dataset) -> Iterator[str]:
    measured = item.MeasuredValueSequence[0]
    name = item.ConceptNameCodeSequence[0].CodeMeaning if item.get("ConceptNameCodeSequence") else "a NUM"
    if not measured.get("MeasurementUnitsCodeSequence"):
        yield f"{name} has no unit"
    value = float(measured.get("NumericValue", math.nan))
    if not math.isfinite(value):
        yield f"{name} is not a number"
    elif item.ConceptNameCodeSequence[0].CodeValue in _PER_CENT and not 0 <= value <= 100:
        yield f"{name} is not between 0 and 100 %"


def _coordinates(root: Dataset, item: Dataset, inputs: Inputs) -> Iterator[str]:
    """Graphic type and number of points, and every point inside the one image it was selected from."""
    data = list(item.GraphicData)
    graphic = item.get("GraphicType")
    columns, rows = data[::2], data[1::2]
    if graphic == "POINT" and len(data) != 2:
        yield "a POINT has not two coordinates"
    if graphic == "POLYLINE" and (len(data) < 8 or len(data) % 2 or data[:2] != data[-2:]):
        yield "an outline is not a closed POLYLINE"
    images = [_target(root, child) for child in item.get("ContentSequence") or []]
    uids = [image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for image in images if image and _is_image(image)]
    if len(uids) != 1 or uids[0] not in inputs.sources:
        yield "coordinates are not selected from one known image"
        return
    source = inputs.sources[uids[0]]
    if not all(0 <= x <= source.Columns for x in columns) or not all(0 <= y <= source.Rows for y in rows):
        yield f"coordinates lie outside image {uids[0]}"


def _is_image(item: Dataset) -> bool:
    return item.get("ValueType") == "IMAGE" and bool(item.get("ReferencedSOPSequence"))


def _evidence(ds: Dataset) -> set[str]:
    return {
        str(reference.ReferencedSOPInstanceUID)
        for study in ds.get("CurrentRequestedProcedureEvidenceSequence") or []
        for series in study.get("ReferencedSeriesSequence") or []
        for reference in series.get("ReferencedSOPSequence") or []
    }


def _named(ds: Dataset, name: Code) -> list[Dataset]:
    """All items below with this concept name."""
    found = []
    for item in ds.get("ContentSequence") or []:
        concept = item.get("ConceptNameCodeSequence")
        if concept and concept[0].get("CodeValue") == name.value:
            found.append(item)
        found.extend(_named(item, name))
    return found


def _tracking(ds: Dataset, inputs: Inputs) -> Iterator[str]:
    """Every marked lesion is there under its own tracking UID."""
    uids = [str(item.get("UID")) for item in _named(ds, codes.TRACKING_UID)]
    if len(set(uids)) < len(uids):
        yield "two lesions share a tracking UID"
    if set(uids) != {finding.tracking_uid for finding in inputs.result.findings}:
        yield "its lesions are not the result's"


def _claims(ds: Dataset, inputs: Inputs) -> Iterator[str]:
    """No negative that the rules withhold, no BI-RADS 6, and a summary that agrees with the marks."""
    allowed = {code.value for grade, code in codes.BI_RADS.items() if grade != 1}
    if inputs.result.study.grade == 1:
        allowed.add(codes.BI_RADS[1].value)
    for item in _named(ds, codes.ASSESSMENT_CATEGORY):
        category = item.ConceptCodeSequence[0]
        if category.CodeValue not in allowed:
            yield f"the assessment category '{category.CodeMeaning}' may not be said"
    for item in _named(ds, codes.PROCESSING_SUMMARY):
        says_findings = item.ConceptCodeSequence[0].CodeValue in _WITH_FINDINGS
        if says_findings != bool(inputs.result.findings):
            yield "its summary and its findings disagree"
