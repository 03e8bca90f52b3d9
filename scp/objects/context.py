"""Patient and study of the sources, copied into a result object (PS3.3 C.7.1, C.7.2, C.7.3.1, C.12.1)."""

from copy import deepcopy
from datetime import datetime, timedelta, timezone

from pydicom import Dataset
from pydicom.sequence import Sequence

from inference.results import ImageResult
from scp.objects.inputs import Inputs

PATIENT = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientSex",
    "EthnicGroup",
    "PatientComments",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
)
CLINICAL_TRIAL = (
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
)
STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "ProcedureCodeSequence",
    "ConsultingPhysicianName",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "RequestingService",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "AdmissionID",
    "IssuerOfAdmissionIDSequence",
    "AdditionalPatientHistory",
    "TimezoneOffsetFromUTC",
)
COPIED = (*PATIENT, *CLINICAL_TRIAL, *STUDY, "RequestAttributesSequence", "SpecificCharacterSet")
NEVER_ABSENT = (  # Type 2 in the standard, and absent in many de-identified images
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
_REQUEST = ("RequestedProcedureID", "RequestedProcedureDescription", "RequestedProcedureCodeSequence")


def patient_and_study(inputs: Inputs) -> Dataset:
    """A new data set with the sources' patient and study; what is absent but Type 2 is empty.

    The source's character set is kept where it can say all we add, else the whole becomes UTF-8.
    """
    source = inputs.first
    ds = Dataset()
    declared = source.get("SpecificCharacterSet")
    if declared:
        ds.SpecificCharacterSet = declared
    for keyword in (*PATIENT, *CLINICAL_TRIAL, *STUDY):
        if keyword in source:
            ds[keyword] = deepcopy(source[keyword])
    ds.decode()
    if not (declared and _our_words(inputs).isascii()):
        plain = not declared and str(ds).isascii() and _our_words(inputs).isascii()
        ds.SpecificCharacterSet = "ISO_IR 100" if plain else "ISO_IR 192"
    for keyword in NEVER_ABSENT:
        if keyword not in ds:
            setattr(ds, keyword, None)
    return ds


def request_attributes(inputs: Inputs) -> Sequence:
    """The source's Request Attributes Sequence, for the General Series of images and presentation states."""
    items = inputs.first.get("RequestAttributesSequence") or []
    return Sequence([deepcopy(item) for item in items])


def referenced_requests(inputs: Inputs) -> Sequence:
    """Referenced Request Sequence of an SR document (PS3.3 C.17.2), from the same attributes."""
    source = inputs.first
    requests = []
    for attributes in source.get("RequestAttributesSequence") or []:
        item = Dataset()
        item.StudyInstanceUID = source.StudyInstanceUID
        item.ReferencedStudySequence = Sequence()
        named = attributes if attributes.get("AccessionNumber") else source
        if "AccessionNumber" in named:
            item["AccessionNumber"] = deepcopy(named["AccessionNumber"])
        else:
            item.AccessionNumber = None
        item.PlacerOrderNumberImagingServiceRequest = attributes.get("PlacerOrderNumberImagingServiceRequest")
        item.FillerOrderNumberImagingServiceRequest = attributes.get("FillerOrderNumberImagingServiceRequest")
        for keyword in _REQUEST:
            if keyword in attributes:
                item[keyword] = deepcopy(attributes[keyword])
            else:
                setattr(item, keyword, Sequence() if keyword.endswith("Sequence") else None)
        requests.append(item)
    return Sequence(requests)


def evidence(inputs: Inputs, images: tuple[ImageResult, ...]) -> Sequence:
    """Current Requested Procedure Evidence Sequence: study, series, instances (PS3.3 table C.17-3)."""
    studies: dict[str, dict[str, list[Dataset]]] = {}
    for image in images:
        source = inputs.source(image)
        series = studies.setdefault(source.StudyInstanceUID, {})
        series.setdefault(source.SeriesInstanceUID, []).append(sop_reference(source))
    return Sequence([_study(uid, series) for uid, series in studies.items()])


def series_references(inputs: Inputs, images: tuple[ImageResult, ...]) -> Sequence:
    """Referenced Series Sequence of the Common Instance Reference module (PS3.3 C.12.2)."""
    series: dict[str, list[Dataset]] = {}
    for image in images:
        source = inputs.source(image)
        series.setdefault(source.SeriesInstanceUID, []).append(sop_reference(source))
    items = []
    for uid, instances in series.items():
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedInstanceSequence = Sequence(instances)
        items.append(item)
    return Sequence(items)


def patient_orientation(source: Dataset) -> list[str]:
    """The two directions of rows and columns, or nothing: some sources put a view's name there."""
    directions = source.get("PatientOrientation")
    if not directions or isinstance(directions, str) or len(directions) != 2 or not all(directions):
        return []
    return [str(direction) for direction in directions]


def sop_reference(source: Dataset) -> Dataset:
    """A SOP Instance Reference (PS3.3 table 10-11)."""
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    return item


def _study(uid: str, series: dict[str, list[Dataset]]) -> Dataset:
    study = Dataset()
    study.StudyInstanceUID = uid
    items = []
    for series_uid, instances in series.items():
        item = Dataset()
        item.SeriesInstanceUID = series_uid
        item.ReferencedSOPSequence = Sequence(instances)
        items.append(item)
    study.ReferencedSeriesSequence = Sequence(items)
    return study


def local(written: datetime, source: Dataset) -> datetime:
    """The time of writing in the source's time zone, which the object's times are said to be in."""
    offset = str(source.get("TimezoneOffsetFromUTC") or "")
    if len(offset) != 5 or not offset[1:].isdigit() or written.tzinfo is None:
        return written
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    return written.astimezone(timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes)))


def _our_words(inputs: Inputs) -> str:
    reasons = inputs.result.model_dump_json()
    return f"{reasons}{inputs.options.manufacturer}{inputs.options.institution}"
