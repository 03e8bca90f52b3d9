"""The SR document around a content tree (PS3.3 C.17.1, C.17.2)."""

from pydicom import Dataset
from pydicom.sequence import Sequence

from scp.objects import codes
from scp.objects.composite import new_object
from scp.objects.content_tree import HAS_CONCEPT_MOD, Item, code, number
from scp.objects.context import evidence, referenced_requests
from scp.objects.identity import series_uid
from scp.objects.inputs import Inputs


def sr_document(inputs: Inputs, kind: str, sop_class_uid: str, description: str, root: Item) -> Dataset:
    """A COMPLETE, UNVERIFIED document with evidence, requests and predecessor."""
    ds = new_object(inputs, kind, sop_class_uid, "SR", description)
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.PerformedProcedureCodeSequence = Sequence()
    requests = referenced_requests(inputs)
    if requests:
        ds.ReferencedRequestSequence = requests
    predecessor = _predecessor(inputs, kind)
    if predecessor:
        ds.PredecessorDocumentsSequence = predecessor
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(inputs, inputs.referenced)
    number(root)
    root.write(ds)
    schemes = _private_schemes(ds)
    if schemes:
        ds.CodingSchemeIdentificationSequence = schemes
    return ds


def _predecessor(inputs: Inputs, kind: str) -> Sequence:
    """What this revision supersedes; revisions of one kind share a series, so that is known."""
    if kind not in inputs.revision.predecessor:
        return Sequence()
    sop_class_uid, sop_instance_uid = inputs.revision.predecessor[kind]
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    series = Dataset()
    series.SeriesInstanceUID = series_uid(inputs, kind)
    series.ReferencedSOPSequence = Sequence([reference])
    study = Dataset()
    study.StudyInstanceUID = inputs.result.study_instance_uid
    study.ReferencedSeriesSequence = Sequence([series])
    return Sequence([study])


def _private_schemes(ds: Dataset) -> Sequence:
    """Coding Scheme Identification (PS3.3 C.12.1.1.2) for the grades, where they are used."""
    used = any(
        element.value == codes.GRADE_SCHEME for element in ds.iterall() if element.keyword == "CodingSchemeDesignator"
    )
    if not used:
        return Sequence()
    item = Dataset()
    item.CodingSchemeDesignator = codes.GRADE_SCHEME
    item.CodingSchemeUID = codes.GRADE_SCHEME_UID
    item.CodingSchemeName = codes.GRADE_SCHEME_NAME
    item.CodingSchemeResponsibleOrganization = "mammonode"
    return Sequence([item])


def language() -> Item:
    """TID 1204: the document is in English."""
    return code(HAS_CONCEPT_MOD, codes.LANGUAGE, codes.ENGLISH)
