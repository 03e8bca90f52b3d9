"""Rules of segmentations, presentation states, captures and documents (PS3.3 A.51, A.33, A.8, A.45)."""

from collections.abc import Iterator

import numpy as np
from pydicom import Dataset
from pydicom.uid import RLELossless

from scp.objects.inputs import Inputs


def image_problems(kind: str, ds: Dataset, inputs: Inputs) -> Iterator[str]:
    """Everything wrong with an object that is no SR."""
    yield from _references(ds, inputs)
    if kind in ("seg", "heatmap"):
        yield from _segmentation(ds, inputs)
    elif kind == "gsps":
        yield from _graphics(ds, inputs)
    elif kind == "secondary-capture":
        if len(ds.get("PixelData") or b"") != _even(ds.Rows * ds.Columns * ds.SamplesPerPixel):
            yield "Pixel Data has not the length its size needs"
    elif kind == "pdf":
        document = ds.get("EncapsulatedDocument") or b""
        if not document.startswith(b"%PDF-") or len(document) % 2:
            yield "the document is no PDF of even length"


def _references(ds: Dataset, inputs: Inputs) -> Iterator[str]:
    """Every image it refers to is a source, with its class."""
    for item in _referring(ds):
        uid = item.get("ReferencedSOPInstanceUID")
        source = inputs.sources.get(str(uid))
        if source is None or source.SOPClassUID != item.get("ReferencedSOPClassUID"):
            yield f"it refers to {uid}, which is no source"


def _referring(ds: Dataset) -> Iterator[Dataset]:
    if "ReferencedSOPInstanceUID" in ds:
        yield ds
    for element in ds:
        if element.VR == "SQ" and element.keyword != "RequestAttributesSequence":
            for item in element.value:
                yield from _referring(item)


def _segmentation(ds: Dataset, inputs: Inputs) -> Iterator[str]:
    """The source's geometry, a frame for each segment, none of them empty."""
    references = list(_referring(ds))
    source = inputs.sources.get(str(references[0].ReferencedSOPInstanceUID)) if references else None
    if source is None or (ds.get("Rows"), ds.get("Columns")) != (source.Rows, source.Columns):
        yield "its rows and columns are not its source's"
    first = 0 if ds.get("SegmentationType") == "LABELMAP" else 1
    numbers = [segment.get("SegmentNumber") for segment in ds.get("SegmentSequence") or []]
    if numbers != list(range(first, first + len(numbers))):
        yield "its segments are not numbered one after the other"
    frames = ds.get("PerFrameFunctionalGroupsSequence") or []
    if ds.get("NumberOfFrames") != len(frames):
        yield "Number of Frames is not the number of its frames"
    named = [_segment_of(frame) for frame in frames if "SegmentIdentificationSequence" in frame]
    if first and named != numbers:
        yield "its frames do not name its segments"
    yield from _segment_pixels(ds)


def _segment_of(frame: Dataset) -> int | None:
    number = frame.SegmentIdentificationSequence[0].get("ReferencedSegmentNumber")
    return int(number) if number is not None else None


def _segment_pixels(ds: Dataset) -> Iterator[str]:
    data = ds.get("PixelData") or b""
    size = int(ds.get("Rows") or 0) * int(ds.get("Columns") or 0)
    frames = int(ds.get("NumberOfFrames") or 0)
    if ds.get("SegmentationType") != "BINARY":
        if ds.file_meta.TransferSyntaxUID != RLELossless or not data:
            yield "Pixel Data is not encapsulated RLE"
        return
    if len(data) != _even((size * frames + 7) // 8):
        yield "Pixel Data has not the length its size needs"
    elif size % 8 == 0:
        bits = np.frombuffer(data, np.uint8)[: size * frames // 8].reshape(frames, -1)
        if not bits.any(axis=1).all():
            yield "a segment is empty"


def _graphics(ds: Dataset, inputs: Inputs) -> Iterator[str]:
    """Annotations on layers that exist, inside the images they are on."""
    layers = {layer.get("GraphicLayer") for layer in ds.get("GraphicLayerSequence") or []}
    for annotation in ds.get("GraphicAnnotationSequence") or []:
        if annotation.get("GraphicLayer") not in layers:
            yield f"graphic layer {annotation.get('GraphicLayer')} does not exist"
        for reference in annotation.get("ReferencedImageSequence") or []:
            source = inputs.sources.get(str(reference.ReferencedSOPInstanceUID))
            if source is not None and not all(
                _inside(g, source) for g in annotation.get("GraphicObjectSequence") or []
            ):
                yield f"graphics lie outside image {reference.ReferencedSOPInstanceUID}"


def _inside(graphic: Dataset, source: Dataset) -> bool:
    data = list(graphic.get("GraphicData") or [])
    if len(data) != 2 * int(graphic.get("NumberOfGraphicPoints") or 0) or not data:
        return False
    return all(0 <= x <= source.Columns for x in data[::2]) and all(0 <= y <= source.Rows for y in data[1::2])


def _even(length: int) -> int:
    return length + length % 2
