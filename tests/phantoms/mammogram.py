"""Synthetic mammography instances, valid for dciodvfy (PS3.3 A.26, A.27 and the IHE Mammography Image profile).

`mammogram` makes one, `four_views` a study, `write_study` its files. Every keyword of the object can be
overridden (`None` leaves it out): `mammogram("L", "MLO", PatientSex="M", ViewCodeSequence=None)`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from phantoms.encoding import encoded
from phantoms.picture import Lesion, breast_picture, stored_values

FOUR_VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
VIEWS = {
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
    "ML": ("399260004", "medio-lateral"),
    "LM": ("399352003", "latero-medial"),
    "XCCL": ("399192008", "cranio-caudal exaggerated laterally"),
}
_ORIENTATION = {"LCC": ["A", "R"], "RCC": ["P", "L"], "LMLO": ["A", "FR"], "RMLO": ["P", "FL"]}

_SECONDARY_CAPTURE = (
    "SpecificCharacterSet",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "InstanceNumber",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "SeriesNumber",
    "Modality",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "PixelData",
    "ImageLaterality",
    "ViewCodeSequence",
    "PatientOrientation",
)


def code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def mammogram(
    laterality: str = "R",
    view: str = "CC",
    *,
    rows: int = 1024,
    columns: int = 768,
    bits: int = 12,
    signed: bool = False,
    photometric: str = "MONOCHROME2",
    for_processing: bool = False,
    transfer_syntax: str = ExplicitVRLittleEndian,
    lesions: Sequence[Lesion] = (),
    picture: NDArray[np.float32] | None = None,
    study_uid: str | None = None,
    series_uid: str | None = None,
    sop_uid: str | None = None,
    instance_number: int = 1,
    seed: int = 0,
    patient_id: str = "SYN0001",
    study_date: str | None = None,
    **overrides: Any,
) -> Dataset:
    """One Digital Mammography X-Ray Image with file meta, ready for `save_as(path, enforce_file_format=True)`.

    `picture` (rows, columns) brightness 0 to 1 replaces the drawn breast; `study_date` is today if not given;
    MONOCHROME1 stores the same picture inverted, so that it looks the same.
    """
    if picture is None:
        picture = breast_picture(rows, columns, laterality, view, seed, lesions)
    rows, columns = picture.shape
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = (
        DigitalMammographyXRayImageStorageForProcessing
        if for_processing
        else DigitalMammographyXRayImageStorageForPresentation
    )
    ds.SOPInstanceUID = sop_uid or generate_uid()
    ds.StudyInstanceUID = study_uid or generate_uid()
    ds.SeriesInstanceUID = series_uid or generate_uid()
    ds.InstanceNumber = instance_number
    _patient_and_study(ds, patient_id, study_date or datetime.now(UTC).strftime("%Y%m%d"))
    _acquisition(ds, laterality, view)
    _detector(ds, rows, columns)
    _presentation(ds, for_processing)
    _pixels(ds, picture, bits, signed, photometric)
    if not for_processing:
        _window(ds, bits, signed)
    return _finished(ds, overrides, transfer_syntax)


def four_views(
    *,
    study_uid: str | None = None,
    lesions: Mapping[tuple[str, str], Sequence[Lesion]] | None = None,
    **keywords: Any,
) -> list[Dataset]:
    """R CC, L CC, R MLO, L MLO of one study and series; `lesions` by (laterality, view)."""
    study_uid = study_uid or generate_uid()
    series_uid = keywords.pop("series_uid", None) or generate_uid()
    seed = keywords.pop("seed", 0)
    return [
        mammogram(
            laterality,
            view,
            study_uid=study_uid,
            series_uid=series_uid,
            instance_number=number,
            seed=seed + number,
            lesions=(lesions or {}).get((laterality, view), ()),
            **keywords,
        )
        for number, (laterality, view) in enumerate(FOUR_VIEWS, 1)
    ]


def write_study(folder: Path, instances: Sequence[Dataset] | None = None, **keywords: Any) -> list[Path]:
    """The files of `instances` (four views made from `keywords` if not given), named by number."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(instances if instances is not None else four_views(**keywords), 1):
        paths.append(folder / f"{number:03d}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def tomosynthesis(laterality: str = "R", view: str = "CC", *, frames: int = 3, **keywords: Any) -> Dataset:
    """A small Breast Tomosynthesis instance: enough for a receiver and the header rules, not for a viewer."""
    keywords = {"rows": 128, "columns": 96, **keywords}
    ds = mammogram(laterality, view, **keywords)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = BreastTomosynthesisImageStorage
    ds.ImageType = ["ORIGINAL", "PRIMARY", "TOMOSYNTHESIS", "NONE"]
    ds.VolumetricProperties, ds.VolumeBasedCalculationTechnique = "VOLUME", "TOMOSYNTHESIS"
    ds.NumberOfFrames = frames
    ds.PixelData = bytes(ds.PixelData) * frames
    return ds


def secondary_capture(
    laterality: str = "R", view: str = "CC", *, frames: int | None = None, **keywords: Any
) -> Dataset:
    """Digitised film as CBIS-DDSM has it: Secondary Capture with Modality MG, no window, no spacing."""
    ds = mammogram(laterality, view, **keywords)
    kept = Dataset()
    kept.file_meta, kept.preamble = ds.file_meta, ds.preamble
    for keyword in _SECONDARY_CAPTURE:
        if keyword in ds:
            kept[keyword] = ds[keyword]
    for item in kept.get("ViewCodeSequence", ()):
        del item.ViewModifierCodeSequence
    kept.SOPClassUID = kept.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    kept.ConversionType = "DF"
    if frames is not None:
        kept.NumberOfFrames = frames
        kept.PixelData = bytes(kept.PixelData) * frames
    return kept


def _patient_and_study(ds: Dataset, patient_id: str, study_date: str) -> None:
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = "Synthetic^Mammo", patient_id, "SYNLAB"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19650312", "F", "059Y"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = study_date, "102900", "1", "ACC0001"
    ds.StudyDescription, ds.ReferringPhysicianName = "MG SCREENING BILATERAL", "Ref^Erring"
    ds.ProcedureCodeSequence = [code("24623002", "Screening mammography")]
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "RP1", "SPS1"
    request.RequestedProcedureDescription = "Screening mammography bilateral"
    request.ScheduledProcedureStepDescription = "Screening mammography bilateral"
    request.ScheduledProtocolCodeSequence = [code("24623002", "Screening mammography")]
    ds.RequestAttributesSequence = [request]
    ds.Modality, ds.SeriesNumber, ds.SeriesDescription = "MG", 1, "MG Screening"
    ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = ds.PerformedProcedureStepStartDate = study_date
    ds.SeriesTime = ds.PerformedProcedureStepStartTime = "103000"
    ds.ContentTime = ds.AcquisitionTime = f"1030{ds.InstanceNumber % 60:02d}"
    ds.PerformedProcedureStepID, ds.OperatorsName, ds.ProtocolName = "PPS1", "Tech^One", "SCREENING"
    ds.Manufacturer, ds.ManufacturerModelName, ds.DeviceSerialNumber = "SynthMed", "Phantom 3000", "SN0001"
    ds.SoftwareVersions, ds.StationName, ds.GantryID = "1.0", "MGSTATION1", "G1"
    ds.InstitutionName, ds.InstitutionAddress = "Synthetic Hospital", "1 Test St"
    ds.DateOfLastDetectorCalibration, ds.TimeOfLastDetectorCalibration = "20240501", "080000"


def _acquisition(ds: Dataset, laterality: str, view: str) -> None:
    ds.AcquisitionContextSequence = []
    ds.ImageLaterality, ds.OrganExposed, ds.BodyPartExamined = laterality, "BREAST", "BREAST"
    ds.AnatomicRegionSequence = [code("76752008", "Breast")]
    view_item = code(*VIEWS[view])
    view_item.ViewModifierCodeSequence = []
    ds.ViewCodeSequence = [view_item]
    oblique = view in ("MLO", "ML", "LM")
    ds.PatientOrientation = _ORIENTATION[laterality + ("MLO" if oblique else "CC")]
    ds.PositionerType = "MAMMOGRAPHIC"
    ds.PositionerPrimaryAngle = "0" if not oblique else "45" if laterality == "R" else "-45"
    ds.BreastImplantPresent, ds.PartialView, ds.QualityControlImage = "NO", "NO", "NO"
    ds.KVP, ds.ExposureTime, ds.XRayTubeCurrent, ds.Exposure, ds.ExposureInuAs = "29", "1200", "80", "96", "96000"
    ds.ExposureTimeInuS, ds.XRayTubeCurrentInuA = "1200000", "80000"
    ds.ExposureControlMode, ds.ExposureControlModeDescription, ds.ExposureStatus = "AUTOMATIC", "AEC", "NORMAL"
    ds.FilterType, ds.FilterMaterial, ds.AnodeTargetMaterial = "STRIP", "RHODIUM", "TUNGSTEN"
    ds.FilterThicknessMinimum = ds.FilterThicknessMaximum = "0.025"
    ds.FocalSpots, ds.BodyPartThickness, ds.CompressionForce = "0.3", "55", "110"
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient, ds.DistanceSourceToEntrance = "660", "640", "595"
    ds.EntranceDoseInmGy, ds.OrganDose, ds.RelativeXRayExposure, ds.HalfValueLayer = "5.1", "0.0131", "450", "0.52"
    ds.RectificationType, ds.Grid = "CONST POTENTIAL", "RECIPROCATING"


def _detector(ds: Dataset, rows: int, columns: int) -> None:
    """A 24 cm high detector, whatever the size in pixels."""
    spacing = f"{232.96 / rows:.4f}"
    ds.DetectorType, ds.DetectorConfiguration, ds.DetectorDescription = "DIRECT", "AREA", "a-Se"
    ds.DetectorID, ds.DetectorTemperature, ds.DetectorActiveShape = "DET1", "30", "RECTANGLE"
    ds.DetectorActiveDimensions, ds.DetectorBinning, ds.DetectorActiveOrigin = ["240", "290"], ["1", "1"], ["0", "0"]
    ds.DetectorElementPhysicalSize = ds.DetectorElementSpacing = [spacing, spacing]
    ds.FieldOfViewShape = "RECTANGLE"
    ds.FieldOfViewDimensions = [str(round(columns * float(spacing))), str(round(rows * float(spacing)))]
    ds.FieldOfViewOrigin, ds.FieldOfViewRotation, ds.FieldOfViewHorizontalFlip = ["0", "0"], "0", "NO"
    ds.ImagerPixelSpacing, ds.EstimatedRadiographicMagnificationFactor = [spacing, spacing], "1.03125"
    ds.CollimatorShape = "RECTANGULAR"
    ds.CollimatorLeftVerticalEdge = ds.CollimatorUpperHorizontalEdge = "1"
    ds.CollimatorRightVerticalEdge, ds.CollimatorLowerHorizontalEdge = str(columns), str(rows)


def _presentation(ds: Dataset, for_processing: bool) -> None:
    ds.PresentationIntentType = "FOR PROCESSING" if for_processing else "FOR PRESENTATION"
    ds.ImageType = ["ORIGINAL" if for_processing else "DERIVED", "PRIMARY", ""]
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"
    ds.PixelIntensityRelationship = "LIN" if for_processing else "LOG"
    ds.PixelIntensityRelationshipSign = 1 if for_processing else -1
    if not for_processing:
        source = Dataset()
        source.ReferencedSOPClassUID = DigitalMammographyXRayImageStorageForProcessing
        source.ReferencedSOPInstanceUID = generate_uid()
        source.SpatialLocationsPreserved = "YES"
        source.PurposeOfReferenceCodeSequence = [code("121320", "Uncompressed predecessor", "DCM")]
        ds.SourceImageSequence = [source]
        ds.DerivationDescription = "Processed for presentation"


def _pixels(ds: Dataset, picture: NDArray[np.float32], bits: int, signed: bool, photometric: str) -> None:
    inverse = photometric == "MONOCHROME1"
    values = stored_values(1 - picture if inverse else picture, bits, signed=signed)
    ds.Rows, ds.Columns = picture.shape
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, int(signed)
    ds.BitsAllocated = 8 if bits <= 8 else 16
    ds.BitsStored, ds.HighBit = bits, bits - 1
    ds.PhotometricInterpretation = photometric
    ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    lowest = -(2 ** (bits - 1)) if signed else 0
    ds.PixelPaddingValue = lowest + (2**bits - 1 if inverse else 0)
    ds.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"


def _window(ds: Dataset, bits: int, signed: bool) -> None:
    """The whole range, LINEAR (PS3.3 C.11.2.1.2.1); no VOILUTFunction, which OHIF 3.13.2 cannot draw."""
    ds.WindowCenter = "0" if signed else str(2 ** (bits - 1))
    ds.WindowWidth = str(2**bits)
    ds.WindowCenterWidthExplanation = "NORMAL"


def _finished(ds: Dataset, overrides: Mapping[str, Any], transfer_syntax: str) -> Dataset:
    for keyword, value in overrides.items():
        if value is not None:
            setattr(ds, keyword, value)
        elif keyword in ds:
            delattr(ds, keyword)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.preamble = b"\0" * 128
    return encoded(ds, transfer_syntax) if transfer_syntax != ExplicitVRLittleEndian else ds
