"""A grayscale softcopy presentation state of one image (PS3.3 A.33.1): outlines and labels over the source."""

from copy import deepcopy

from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from inference.results import Finding, ImageResult
from scp.objects import codes
from scp.objects.composite import new_object
from scp.objects.context import sop_reference
from scp.objects.inputs import Inputs

LAYER = "MAMMONODE"
_MODALITY_LUT = ("ModalityLUTSequence", "RescaleIntercept", "RescaleSlope", "RescaleType")


def presentation_state(inputs: Inputs, image: ImageResult) -> Dataset:
    """The marks of an image, in the window the source shows first. Coordinates are those of the reports."""
    source = inputs.source(image)
    ds = new_object(inputs, "gsps", GrayscaleSoftcopyPresentationStateStorage, "PR", "marks", image)
    ds.PresentationCreationDate, ds.PresentationCreationTime = ds.ContentDate, ds.ContentTime
    del ds.ContentDate, ds.ContentTime
    ds.Laterality = image.laterality
    ds.ContentLabel, ds.ContentCreatorName = "MAMMONODE", "MAMMONODE^Device"
    ds.ContentDescription = codes.RESEARCH_USE
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedImageSequence = Sequence([sop_reference(source)])
    ds.ReferencedSeriesSequence = Sequence([series])
    ds.DisplayedAreaSelectionSequence = Sequence([_whole_image(source)])
    _put_grey_scale(ds, source)
    ds.GraphicLayerSequence = Sequence([_layer()])
    ds.GraphicAnnotationSequence = Sequence([_annotation(source, finding) for finding in image.findings])
    return ds


def _whole_image(source: Dataset) -> Dataset:
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [source.Columns, source.Rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelAspectRatio = [1, 1]
    return area


def _put_grey_scale(ds: Dataset, source: Dataset) -> None:
    """A presentation state replaces the image's own transformations, so they are repeated (PS3.3 C.11.1, C.11.8)."""
    for keyword in _MODALITY_LUT:
        if keyword in source:
            ds[keyword] = deepcopy(source[keyword])
    voi = Dataset()
    if source.get("WindowCenter") is not None and source.get("WindowWidth") is not None:
        voi.WindowCenter, voi.WindowWidth = _first(source.WindowCenter), _first(source.WindowWidth)
        if source.get("VOILUTFunction"):
            voi.VOILUTFunction = source.VOILUTFunction
    elif source.get("VOILUTSequence"):
        voi.VOILUTSequence = Sequence([deepcopy(source.VOILUTSequence[0])])
    if voi:
        ds.SoftcopyVOILUTSequence = Sequence([voi])
    inverse = source.get("PhotometricInterpretation") == "MONOCHROME1"
    ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) or hasattr(value, "append") else value  # type: ignore[index] # MultiValue


def _layer() -> Dataset:
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = LAYER, 1
    layer.GraphicLayerDescription = codes.RESEARCH_USE
    layer.GraphicLayerRecommendedDisplayCIELabValue = [55704, 30840, 48316]
    return layer


def _annotation(source: Dataset, finding: Finding) -> Dataset:
    """Outline and label; PIXEL units share the SCOORD convention, so the numbers are the same."""
    left, top, right, _ = finding.box
    outline = [*finding.outline, finding.outline[0]]
    graphic = Dataset()
    graphic.GraphicAnnotationUnits, graphic.GraphicDimensions = "PIXEL", 2
    graphic.NumberOfGraphicPoints = len(outline)
    graphic.GraphicData = [float(value) for point in outline for value in point]
    graphic.GraphicType, graphic.GraphicFilled = "POLYLINE", "N"
    graphic.TrackingID, graphic.TrackingUID = finding.tracking_id, finding.tracking_uid
    label = Dataset()
    label.AnchorPointAnnotationUnits, label.AnchorPointVisibility = "PIXEL", "N"
    label.AnchorPoint = [float(right if left < source.Columns / 2 else left), float(top)]
    label.UnformattedTextValue = codes.label(finding)
    annotation = Dataset()
    annotation.GraphicLayer = LAYER
    annotation.ReferencedImageSequence = Sequence([sop_reference(source)])
    annotation.TextObjectSequence = Sequence([label])
    annotation.GraphicObjectSequence = Sequence([graphic])
    return annotation
