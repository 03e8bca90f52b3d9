"""Segmentations of one image (PS3.3 A.51): its lesions, as BINARY frames or one LABELMAP, or its heat maps.

A mammogram has no frame of reference, so rows, columns and pixels are the source's (PS3.3 C.8.20.3). Frames are
made and packed one at a time: a 4096 x 3328 image with ten lesions stays far under 300 MB.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.pixels.utils import pack_bits
from pydicom.sequence import Sequence as Items
from pydicom.uid import RLELossless, SegmentationStorage

from inference.results import Finding, ImageResult, Module
from scp.objects import codes, segments
from scp.objects.composite import new_object
from scp.objects.content_tree import decimal_string
from scp.objects.context import patient_orientation, series_references, sop_reference
from scp.objects.identity import LABEL_MAP_SEGMENTATION_STORAGE, uid_from
from scp.objects.inputs import Inputs
from scp.objects.raster import draw_finding

MAXIMUM_FRACTION = 255

Frame = NDArray[np.uint8]


def lesion_segmentation(inputs: Inputs, image: ImageResult) -> Dataset:
    """One segment for each marked lesion of an image, with the reports' tracking ids."""
    findings = image.findings
    described = [segments.lesion_segment(inputs.result, n, finding) for n, finding in enumerate(findings, 1)]
    if inputs.options.labelmap:
        ds = _segmentation(inputs, image, "seg", LABEL_MAP_SEGMENTATION_STORAGE, "lesions")
        _label_map(ds, inputs.source(image), image, findings, described)
    else:
        ds = _segmentation(inputs, image, "seg", SegmentationStorage, "lesions")
        ds.SegmentationType, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "BINARY", 1, 1, 0
        ds.SegmentSequence = Items(described)
        ds.SegmentsOverlap = "UNDEFINED"
        _per_segment_frames(ds, inputs.source(image), len(findings))
        _put_bits(ds, (_mask(image, [finding]) for finding in findings))
    _put_orientation(ds, inputs, image)
    return ds


def heat_map_segmentation(inputs: Inputs, image: ImageResult, maps: dict[Module, NDArray[np.floating]]) -> Dataset:
    """FRACTIONAL: where each module saw something, one segment a module that scored; maps are at stored size."""
    scores = {m.module: m.score for m in image.modules if m.score is not None and m.module in maps}
    ds = _segmentation(inputs, image, "heatmap", SegmentationStorage, "activation, not probability")
    ds.SegmentationType, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "FRACTIONAL", 8, 8, 7
    # neither fits (PS3.3 C.8.20.2): a belief that a lesion is there is nearer than a share of the pixel's area
    ds.SegmentationFractionalType, ds.MaximumFractionalValue = "PROBABILITY", MAXIMUM_FRACTION
    ds.SegmentSequence = Items(
        segments.heat_map_segment(inputs.result, number, module, codes.per_cent(score))
        for number, (module, score) in enumerate(scores.items(), 1)
    )
    ds.SegmentsOverlap = "YES" if len(scores) > 1 else "NO"
    _per_segment_frames(ds, inputs.source(image), len(scores))
    _put_bytes(ds, (_relative(maps[module], score) for module, score in scores.items()))
    _put_orientation(ds, inputs, image)
    return ds


def _relative(activation: NDArray[np.floating], score: float) -> Frame:
    """Fractions of which the highest is the score: a score is of a whole window, and its best places lie above."""
    highest = float(activation.max())
    scale = score * MAXIMUM_FRACTION / highest if highest > 0 else 0.0
    fractions: Frame = np.rint(np.clip(activation, 0, None) * scale).astype(np.uint8)
    return fractions


def _segmentation(inputs: Inputs, image: ImageResult, kind: str, sop_class_uid: str, description: str) -> Dataset:
    """All that does not depend on the type of segmentation."""
    source = inputs.source(image)
    ds = new_object(inputs, kind, sop_class_uid, "SEG", description, image, own_series=True)
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.PatientOrientation = patient_orientation(source)
    ds.LossyImageCompression = "00"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = source.Rows, source.Columns, 1
    ds.PhotometricInterpretation, ds.PixelRepresentation = "MONOCHROME2", 0
    ds.PresentationLUTShape = "IDENTITY"
    ds.ContentLabel, ds.ContentCreatorName = "MAMMONODE", "MAMMONODE^Device"
    ds.ContentDescription = codes.RESEARCH_USE
    ds.ReferencedSeriesSequence = series_references(inputs, (image,))
    ds.SharedFunctionalGroupsSequence = Items([Dataset()])
    organization = Dataset()
    organization.DimensionOrganizationUID = uid_from("dimensions", ds.SOPInstanceUID)
    ds.DimensionOrganizationSequence = Items([organization])
    return ds


def _per_segment_frames(ds: Dataset, source: Dataset, count: int) -> None:
    """One frame a segment, indexed by the segment's number."""
    ds.NumberOfFrames = count
    ds.DimensionIndexSequence = Items([_dimension(ds, 0x0062000B, 0x0062000A, "Referenced Segment Number")])
    frames = []
    for number in range(1, count + 1):
        frame = _frame(source)
        segment = Dataset()
        segment.ReferencedSegmentNumber = number
        frame.SegmentIdentificationSequence = Items([segment])
        frame.FrameContentSequence[0].DimensionIndexValues = [number]
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Items(frames)


def _label_map(
    ds: Dataset, source: Dataset, image: ImageResult, findings: Sequence[Finding], described: list[Dataset]
) -> None:
    """One frame whose values are segment numbers; where lesions overlap the more suspicious one wins."""
    ds.SegmentationType, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "LABELMAP", 8, 8, 7
    ds.SegmentSequence = Items([segments.background_segment(), *described])
    ds.SegmentsOverlap = "NO"
    ds.PixelPaddingValue = 0
    ds.NumberOfFrames = 1
    ds.DimensionIndexSequence = Items([_dimension(ds, 0x00209453, 0x00209111, "Frame Label")])
    frame = _frame(source)
    frame.FrameContentSequence[0].FrameLabel = "Lesions"
    frame.FrameContentSequence[0].DimensionIndexValues = [1]
    ds.PerFrameFunctionalGroupsSequence = Items([frame])
    _put_bytes(ds, iter([_mask(image, findings, numbered=True)]))


def _mask(image: ImageResult, findings: Sequence[Finding], numbered: bool = False) -> Frame:
    mask = np.zeros((image.rows, image.columns), np.uint8)
    for number, finding in sorted(enumerate(findings, 1), key=lambda item: item[1].score):
        draw_finding(mask, finding, number if numbered else 1)
    return mask


def _frame(source: Dataset) -> Dataset:
    """Frame Content and Derivation Image (PS3.3 C.7.6.16.2.2, C.7.6.16.2.6): made from the one source image."""
    reference = sop_reference(source)
    reference.SpatialLocationsPreserved = "YES"
    reference.PurposeOfReferenceCodeSequence = segments.SOURCE_FOR_PROCESSING.sequence()
    derivation = Dataset()
    derivation.SourceImageSequence = Items([reference])
    derivation.DerivationCodeSequence = segments.SEGMENTATION.sequence()
    frame = Dataset()
    frame.DerivationImageSequence = Items([derivation])
    frame.FrameContentSequence = Items([Dataset()])
    return frame


def _dimension(ds: Dataset, pointer: int, group: int, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = ds.DimensionOrganizationSequence[0].DimensionOrganizationUID
    item.DimensionIndexPointer, item.FunctionalGroupPointer = pointer, group
    item.DimensionDescriptionLabel = label
    return item


def _put_orientation(ds: Dataset, inputs: Inputs, image: ImageResult) -> None:
    """For OHIF alone (setting): a plane without a patient's frame, which the standard does not want.

    OHIF 3.13.2 refuses a segmentation without the first group, and goes black without the second or if that is
    empty: a projection has no slices, so a nominal thickness says nothing, and no spacing is made up
    (then highdicom 0.28 does not read the object).
    """
    if not inputs.options.plane_orientation:
        return
    plane, measures = Dataset(), Dataset()
    plane.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    measures.SliceThickness = "1"
    if image.pixel_spacing is not None:
        measures.PixelSpacing = [decimal_string(spacing) for spacing in image.pixel_spacing]
    ds.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = Items([plane])
    ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = Items([measures])


def _put_bits(ds: Dataset, frames: Iterator[Frame]) -> None:
    """BINARY pixel data: all frames' bits in a row, least significant first (PS3.5 8.1.1)."""
    whole_bytes = ds.Rows * ds.Columns % 8 == 0
    if whole_bytes:
        data = b"".join(np.packbits(frame, bitorder="little").tobytes() for frame in frames)
    else:
        data = bytes(pack_bits(np.stack(list(frames)), pad=False))
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB"


def _put_bytes(ds: Dataset, frames: Iterator[Frame]) -> None:
    """8-bit pixel data, RLE."""
    ds.file_meta.TransferSyntaxUID = RLELossless
    options = {
        "rows": ds.Rows,
        "columns": ds.Columns,
        "samples_per_pixel": 1,
        "bits_allocated": 8,
        "bits_stored": 8,
        "pixel_representation": 0,
        "photometric_interpretation": "MONOCHROME2",
        "number_of_frames": 1,
    }
    encode: Callable[..., bytes] = RLELosslessEncoder.encode
    ds.PixelData = encapsulate([encode(frame, **options) for frame in frames])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
