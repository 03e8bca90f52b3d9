"""What every result object begins with: patient, study, series, equipment, SOP Common, file meta."""

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from inference.results import ImageResult
from scp.objects.codes import RESEARCH_USE
from scp.objects.context import local, patient_and_study, request_attributes
from scp.objects.identity import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    instance_uid,
    put_equipment,
    series_uid,
)
from scp.objects.inputs import Inputs

SERIES_NUMBERS = {
    "cad-sr": 9001,
    "tid1500": 9002,
    "gsps": 9003,
    "secondary-capture": 9004,
    "pdf": 9005,
    "kos": 9006,
    "reader-feedback": 9007,
    "seg": 9100,
    "heatmap": 9500,
}
"""SEG and heat map have a series for each image: its place in the study is added."""


def new_object(
    inputs: Inputs,
    kind: str,
    sop_class_uid: str,
    modality: str,
    description: str,
    image: ImageResult | None = None,
    own_series: bool = False,
) -> Dataset:
    """An object of `kind`, of one image where `image` is given, in a series of its own where `own_series`."""
    image_uid = image.sop_instance_uid if image else ""
    place = inputs.result.images.index(image) + 1 if image else 1
    at = local(inputs.revision.written, inputs.first)
    ds = patient_and_study(inputs)
    ds.SOPClassUID = sop_class_uid
    ds.SOPInstanceUID = instance_uid(inputs.digest, kind, image_uid)
    ds.Modality = modality
    ds.SeriesInstanceUID = series_uid(inputs, kind, image_uid if own_series else "")
    ds.SeriesNumber = SERIES_NUMBERS[kind] + (place if own_series else 0)
    ds.SeriesDescription = f"AI {description} - {RESEARCH_USE.lower()}"
    ds.SeriesDate = ds.ContentDate = ds.InstanceCreationDate = at.strftime("%Y%m%d")
    ds.SeriesTime = ds.ContentTime = ds.InstanceCreationTime = at.strftime("%H%M%S.%f")
    ds.InstanceCreatorUID = IMPLEMENTATION_CLASS_UID
    ds.InstanceNumber = inputs.revision.number if own_series or not image else _number(inputs, place)
    requests = request_attributes(inputs)
    if requests and modality not in ("SR", "KO"):
        ds.RequestAttributesSequence = requests
    put_equipment(ds, inputs)
    _put_file_meta(ds)
    return ds


def _number(inputs: Inputs, place: int) -> int:
    """Instance Number in a series that holds one object of each image, revision after revision."""
    return (inputs.revision.number - 1) * len(inputs.result.images) + place


def _put_file_meta(ds: Dataset) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    ds.file_meta = meta
    ds.preamble = b"\0" * 128
