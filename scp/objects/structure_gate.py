"""The check before sending: an object that breaks the standard never leaves (PS3.3, PS3.5, PS3.16).

It asks for what the object's own rules ask for, and knows nothing of how the object was built.
"""

import re
from collections.abc import Iterator
from io import BytesIO

from pydicom import Dataset, config, dcmwrite
from pydicom.valuerep import validate_value

from inference.results import Reason
from scp.objects.codes import GRADE_SCHEME
from scp.objects.content_tree import LONGEST_CODE_VALUE, LONGEST_MEANING
from scp.objects.context import COPIED, NEVER_ABSENT
from scp.objects.image_rules import image_problems
from scp.objects.inputs import Inputs, InvalidObjectError
from scp.objects.sr_rules import sr_problems

_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_NEVER_EMPTY = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "SeriesNumber",
    "InstanceNumber",
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "DeviceUID",
    "ContributingEquipmentSequence",
)
_SR = (
    "CompletionFlag",
    "VerificationFlag",
    "ValueType",
    "ConceptNameCodeSequence",
    "ContinuityOfContent",
    "ContentDate",
)
_REPORT = ("ContentTemplateSequence", "ContentSequence", "CurrentRequestedProcedureEvidenceSequence")
_IMAGE = (
    "ContentDate",
    "ImageType",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PhotometricInterpretation",
    "PixelData",
)
_SEG = (
    *_IMAGE,
    "SegmentationType",
    "SegmentSequence",
    "ContentLabel",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DimensionOrganizationSequence",
    "DimensionIndexSequence",
    "ReferencedSeriesSequence",
)
_NEVER_EMPTY_OF = {
    "cad-sr": (*_SR, *_REPORT),
    "tid1500": (*_SR, *_REPORT, "PreliminaryFlag"),
    "seg": _SEG,
    "heatmap": (*_SEG, "SegmentationFractionalType", "MaximumFractionalValue"),
    "gsps": (
        "ContentLabel",
        "PresentationCreationDate",
        "PresentationCreationTime",
        "ReferencedSeriesSequence",
        "DisplayedAreaSelectionSequence",
        "PresentationLUTShape",
    ),
    "secondary-capture": (*_IMAGE, "ConversionType", "SamplesPerPixel", "PlanarConfiguration"),
    "pdf": ("EncapsulatedDocument", "MIMETypeOfEncapsulatedDocument", "BurnedInAnnotation", "ConversionType"),
    "kos": (
        "ContentSequence",
        "ContentTemplateSequence",
        "ConceptNameCodeSequence",
        "CurrentRequestedProcedureEvidenceSequence",
    ),
}
_REPORTS = ("cad-sr", "tid1500")


def check(kind: str, ds: Dataset, inputs: Inputs) -> None:
    """Raises InvalidObjectError, naming every problem, when `ds` must not be sent."""
    problems = [*_missing(kind, ds), *_values(ds), *_identity(ds, inputs)]
    if kind in (*_REPORTS, "kos"):
        problems.extend(sr_problems(kind, ds, inputs))
    else:
        problems.extend(image_problems(kind, ds, inputs))
    problems.extend(_unwritable(ds))
    if problems:
        raise InvalidObjectError(
            Reason(
                code="invalid-object",
                text=f"The {kind} object is not valid and was not sent: {'; '.join(problems[:5])}.",
                remedy="The findings are kept. Report this to the maintainers, then analyse the study again.",
            )
        )


def _missing(kind: str, ds: Dataset) -> Iterator[str]:
    """Type 1 attributes without a value, Type 2 ones that are absent."""
    for keyword in (*_NEVER_EMPTY, *_NEVER_EMPTY_OF[kind]):
        if keyword not in ds or ds[keyword].is_empty:
            yield f"{keyword} has no value"
    for keyword in NEVER_ABSENT:
        if keyword not in ds:
            yield f"{keyword} is absent"


def _values(ds: Dataset) -> Iterator[str]:
    """UID grammar, lengths and characters of values, coded entries, the private scheme's identification."""
    schemes = set()
    for item in _items(_ours(ds)):
        for element in item:
            if element.VR == "UI":
                yield from _bad_uids(element.keyword, element.value)
            elif element.VR in ("CS", "DS", "IS", "LO", "SH", "DA", "TM", "DT"):
                yield from _bad_value(element.keyword, element.VR, element.value)
        if "CodeMeaning" in item or "CodingSchemeDesignator" in item:
            schemes.add(str(item.get("CodingSchemeDesignator") or ""))
        if "CodeMeaning" in item:
            yield from _bad_code(item)
    identified = {entry.CodingSchemeDesignator for entry in ds.get("CodingSchemeIdentificationSequence") or []}
    if GRADE_SCHEME in schemes - identified:
        yield f"coding scheme {GRADE_SCHEME} is not identified"


def _ours(ds: Dataset) -> Dataset:
    """Without what was copied: a source's overlong accession number is the source's, and must still match."""
    copied = {*COPIED, "ReferencedRequestSequence"}
    return Dataset({element.tag: element for element in ds if element.keyword not in copied or element.VR == "UI"})


def _items(ds: Dataset) -> Iterator[Dataset]:
    """The data set and every sequence item in it."""
    yield ds
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from _items(item)


def _bad_uids(keyword: str, value: object) -> Iterator[str]:
    for uid in [value] if isinstance(value, str) else (value or []):  # type: ignore[attr-defined] # MultiValue
        if uid and (len(uid) > 64 or not _UID.fullmatch(uid)):
            yield f"{keyword} is not a UID"


def _bad_value(keyword: str, vr: str, value: object) -> Iterator[str]:
    values = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    for one in values:  # type: ignore[attr-defined] # MultiValue
        try:
            validate_value(
                vr, str(getattr(one, "original_string", None) or ("" if one is None else one)), config.RAISE
            )
        except ValueError:
            yield f"{keyword} is no valid {vr}"


def _bad_code(item: Dataset) -> Iterator[str]:
    meaning = str(item.CodeMeaning or "")
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    if not 0 < len(meaning) <= LONGEST_MEANING:
        yield f"the meaning of code {value} has {len(meaning)} characters"
    if not value or len(str(item.get("CodeValue") or "")) > LONGEST_CODE_VALUE:
        yield f"'{meaning}' has no valid code value"
    if not item.get("CodingSchemeDesignator") and "URNCodeValue" not in item:
        yield f"'{meaning}' has no coding scheme"


def _identity(ds: Dataset, inputs: Inputs) -> Iterator[str]:
    """Patient and study are the source's."""
    source = inputs.first
    if ds.get("StudyInstanceUID") != source.get("StudyInstanceUID"):
        yield "it is in another study than its sources"
    if str(ds.get("PatientID") or "") != str(source.get("PatientID") or ""):
        yield "it has another patient id than its sources"
    if ds.get("SOPInstanceUID") in inputs.sources:
        yield "it has the SOP Instance UID of a source"
    meta = getattr(ds, "file_meta", Dataset())
    if meta.get("MediaStorageSOPInstanceUID") != ds.get("SOPInstanceUID"):
        yield "its file meta names another instance"


def _unwritable(ds: Dataset) -> Iterator[str]:
    """Whether pydicom can encode it; pixels and documents are left out, their lengths are checked elsewhere."""
    bare = Dataset({tag: element for tag, element in ds.items() if tag not in (0x7FE00010, 0x00420011)})
    bare.file_meta, bare.preamble = ds.file_meta, ds.preamble
    try:
        dcmwrite(BytesIO(), bare, enforce_file_format=True)
    except (AttributeError, TypeError, ValueError, KeyError, OSError) as error:
        yield f"it cannot be encoded ({type(error).__name__})"
