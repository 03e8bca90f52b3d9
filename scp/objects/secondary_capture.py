"""One RGB picture of all views with their lesions, for a PACS that shows nothing else (PS3.3 A.8.1)."""

import math

import numpy as np
from PIL import Image, ImageDraw
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage

from scp.objects import codes
from scp.objects.composite import new_object
from scp.objects.context import sop_reference
from scp.objects.hanging import Place, hanging
from scp.objects.inputs import Inputs
from scp.objects.labels import text_font, wrapped
from scp.objects.overlay import COLORS, drawn
from scp.objects.words import analysed_by, image_words, study_lines, view_name

_SHEET_HEIGHT = 1800
_LEAST_TILE = 240
_LEAST_WIDTH = 900
_MIDLINE = 24
"""Between the breasts, so that no word runs from one image into the other."""
_LINE = 22
_MARGIN = 8
_LISTED = 12
_WHITE, _GREY, _RED = (255, 255, 255), (110, 110, 110), (255, 140, 140)


def secondary_capture(inputs: Inputs) -> Dataset:
    """The sheet of the study. Nothing on it identifies the patient."""
    pixels = np.asarray(_sheet(inputs))
    ds = new_object(inputs, "secondary-capture", SecondaryCaptureImageStorage, "OT", "picture")
    ds.ConversionType, ds.BurnedInAnnotation = "WSD", _burned_in(inputs)
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.DerivationDescription = f"AI marks drawn into reduced images. {codes.RESEARCH_USE}."
    ds.SourceImageSequence = Sequence([sop_reference(inputs.source(image)) for image in inputs.result.analysed])
    ds.PatientOrientation = ds.Laterality = None
    ds.LossyImageCompression = "00"
    ds.Rows, ds.Columns, ds.SamplesPerPixel = pixels.shape
    ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    ds["PixelData"].VR = "OB"
    return ds


def _burned_in(inputs: Inputs) -> str:
    """Our own words identify nobody (PS3.3 C.7.6.1); what is burned into an image we have shrunk, might."""
    sources = [inputs.source(image) for image in inputs.result.analysed]
    return "YES" if any(source.get("BurnedInAnnotation") == "YES" for source in sources) else "NO"


def _sheet(inputs: Inputs) -> Image.Image:
    """The legend, and below it the views in pairs, as many pairs beside each other as make it nearly square."""
    rows = hanging(inputs.result.images)
    across = max(1, round(math.sqrt(len(rows) / 2)))
    down = math.ceil(len(rows) / across)
    height = max(_LEAST_TILE, _SHEET_HEIGHT // down)
    pictures = {image.sop_instance_uid: drawn(inputs, image, height) for image in inputs.result.analysed}
    cell = max(_LEAST_TILE, *(picture.width for picture in pictures.values()))
    deep = max(len(_caption(place, cell)) for row in rows for place in row if place) * _LINE
    pair = 2 * cell + _MIDLINE
    width = max(across * (pair + _MIDLINE) - _MIDLINE, _LEAST_WIDTH)
    lines = [part for line in _legend(inputs) for part in wrapped(line, 14, width - 2 * _MARGIN)]
    top = _LINE * (len(lines) + 2) + 2 * _MARGIN
    sheet = Image.new("RGB", (width, top + down * (deep + height)))
    _write_legend(sheet, lines)
    for index, row in enumerate(rows):
        x, y = (index % across) * (pair + _MIDLINE), top + (index // across) * (deep + height)
        for place, left in zip(row, (x, x + cell + _MIDLINE), strict=True):
            if place:
                picture = pictures[place.picture_of.sop_instance_uid] if place.picture_of else None
                _hang(sheet, place, picture, (left, y, left + cell, y + deep + height), deep)
    return sheet


def _hang(
    sheet: Image.Image, place: Place, picture: Image.Image | None, box: tuple[int, int, int, int], deep: int
) -> None:
    """A caption, `deep` pixels, over the picture, which lies at the midline, or over an empty frame."""
    left, top, right, bottom = box
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(_caption(place, right - left)):
        color = _RED if place.failed else _WHITE
        draw.text((left + _MARGIN, top + number * _LINE), line, fill=color, font=text_font(14))
    if picture is None:
        draw.rectangle((left, top + deep, right - 1, bottom - 1), outline=_GREY)
    else:
        sheet.paste(picture, (right - picture.width if place.laterality == "R" else left, top + deep))


def _caption(place: Place, width: int) -> list[str]:
    marked = place.picture_of is not None and place.picture_of.findings
    return wrapped(place.caption + "; AI marks, unverified" * bool(marked), 14, width - 2 * _MARGIN)


def _legend(inputs: Inputs) -> list[str]:
    """What, when, by which networks, and what was done with each image; never whose."""
    result = inputs.result
    made = f"{analysed_by(result, inputs.revision.written)}, {codes.RESEARCH_USE.lower()}, UNVERIFIED"
    images = result.images if len(result.images) <= _LISTED else ()
    lines = (f"{view_name(image.laterality, image.view)}: {image_words(result, image)}." for image in images)
    return [made, *study_lines(result), *lines]


def _write_legend(sheet: Image.Image, lines: list[str]) -> None:
    draw = ImageDraw.Draw(sheet)
    title = f"AI RESULT - {codes.RESEARCH_USE.upper()} - UNVERIFIED"
    draw.text((_MARGIN, _MARGIN), title, fill=_RED, font=text_font(18))
    left = _MARGIN
    for module, color in COLORS.items():
        words = f"outline: {module}"
        draw.text((left, _MARGIN + _LINE), words, fill=color, font=text_font(16))
        left += round(draw.textlength(words, text_font(16))) + 3 * _MARGIN
    for index, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + (index + 2) * _LINE), line, fill=_WHITE, font=text_font(14))
