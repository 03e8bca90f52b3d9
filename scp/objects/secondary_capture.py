"""One RGB picture of all views with their lesions, for a PACS that shows nothing else (PS3.3 A.8.1)."""

import math

import numpy as np
from PIL import Image, ImageDraw
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage

from inference.results import ImageResult
from scp.objects import codes
from scp.objects.composite import new_object
from scp.objects.context import sop_reference
from scp.objects.inputs import Inputs
from scp.objects.overlay import COLORS, drawn, text_font
from scp.objects.words import image_lines, image_name, study_lines

_SHEET_HEIGHT = 1800
_LEAST_TILE = 240
_LINE = 22
_MARGIN = 8
_WHITE = (255, 255, 255)


def secondary_capture(inputs: Inputs) -> Dataset:
    """The sheet of the study. Nothing on it identifies the patient."""
    pixels = np.asarray(_sheet(inputs))
    ds = new_object(inputs, "secondary-capture", SecondaryCaptureImageStorage, "OT", "picture")
    ds.ConversionType, ds.BurnedInAnnotation = "WSD", "NO"
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


def hung(images: tuple[ImageResult, ...]) -> list[ImageResult]:
    """CC before MLO before the rest, right breast at the reader's left."""
    views = {"CC": 0, "MLO": 1}
    return sorted(
        images, key=lambda image: (views.get(image.view or "", 2), image.view or "", image.laterality != "R")
    )


def _sheet(inputs: Inputs) -> Image.Image:
    images = hung(inputs.result.analysed)
    across = max(1, math.ceil(math.sqrt(len(images))))
    height = max(_LEAST_TILE, _SHEET_HEIGHT // across)
    tiles = [drawn(inputs, image, height) for image in images]
    tile_width = max((tile.width for tile in tiles), default=0)
    lines = _legend(inputs)
    width = max(across * tile_width, 900)
    top = _LINE * (len(lines) + 2) + _MARGIN
    sheet = Image.new("RGB", (width, top + math.ceil(len(tiles) / across) * height))
    _write_legend(sheet, lines)
    draw = ImageDraw.Draw(sheet)
    for index, (image, tile) in enumerate(zip(images, tiles, strict=True)):
        place = ((index % across) * tile_width, top + (index // across) * height)
        sheet.paste(tile, place)
        draw.text((place[0] + _MARGIN, place[1] + height - _LINE), image_name(image), fill=_WHITE, font=text_font(16))
    return sheet


def _legend(inputs: Inputs) -> list[str]:
    result = inputs.result
    lines = image_lines(result) if len(result.images) <= 12 else []
    return [*study_lines(result), *(line.split(" (SOP Instance")[0] for line in lines)]


def _write_legend(sheet: Image.Image, lines: list[str]) -> None:
    draw = ImageDraw.Draw(sheet)
    title = f"AI RESULT - {codes.RESEARCH_USE.upper()}"
    draw.text((_MARGIN, _MARGIN), title, fill=(255, 140, 140), font=text_font(18))
    left = _MARGIN
    for module, color in COLORS.items():
        words = f"outline: {module}"
        draw.text((left, _MARGIN + _LINE), words, fill=color, font=text_font(16))
        left += round(draw.textlength(words, text_font(16))) + 3 * _MARGIN
    for index, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + (index + 2) * _LINE), line, fill=_WHITE, font=text_font(14))
