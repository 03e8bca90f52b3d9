"""Pictures of the images with their lesions drawn, for the objects that every viewer can show."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.results import Finding, ImageResult, Module, Reason
from scp.objects import codes
from scp.objects.inputs import Inputs, InvalidObjectError

Color = tuple[int, int, int]
Box = tuple[float, float, float, float]
LABEL_HEIGHT = 24
COLORS: dict[Module, Color] = {Module.NODULE: (255, 80, 80), Module.MICROCALCIFICATION: (255, 220, 0)}


def drawn(inputs: Inputs, image: ImageResult, height: int) -> Image.Image:
    """The image at `height` pixels, RGB, with every lesion outlined and labelled.

    Raises InvalidObjectError: there is no picture of it, or not at its stored size.
    """
    grey = inputs.pictures(image.sop_instance_uid) if inputs.pictures else None
    if grey is None or grey.shape != (image.rows, image.columns):
        raise InvalidObjectError(
            Reason(
                code="no-picture",
                text=f"There is no picture of image {image.sop_instance_uid} at its stored size.",
                remedy="Analyse the study again.",
            )
        )
    return with_lesions(grey, image, height)


def with_lesions(grey: NDArray[np.uint8], image: ImageResult, height: int) -> Image.Image:
    """`grey` (image.rows, image.columns) at `height` pixels, RGB, lesions outlined, their labels apart."""
    scale = height / image.rows
    size = (max(1, round(image.columns * scale)), height)
    picture = Image.fromarray(grey).resize(size, Image.Resampling.BOX).convert("RGB")
    draw = ImageDraw.Draw(picture)
    taken: list[Box] = []
    for finding in image.findings:
        outline = [(x * scale, y * scale) for x, y in (*finding.outline, finding.outline[0])]
        draw.line(outline, fill=COLORS[finding.module], width=2)
    for finding in image.findings:
        _label(draw, finding, scale, size, taken)
    return picture


def text_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, so that the picture is the same on every machine."""
    return ImageFont.load_default(size)


def _label(
    draw: ImageDraw.ImageDraw, finding: Finding, scale: float, size: tuple[int, int], taken: list[Box]
) -> None:
    """Above the lesion, or in the first free line below that."""
    font, words = text_font(18), codes.label(finding)
    width = draw.textlength(words, font)
    left = min(max(finding.box[0] * scale, 0), max(size[0] - width, 0))
    top = max(finding.box[1] * scale - LABEL_HEIGHT, 0)
    while any(
        left < right and left + width > other and top < bottom and top + LABEL_HEIGHT > above
        for other, above, right, bottom in taken
    ):
        top += LABEL_HEIGHT
    taken.append((left, top, left + width, top + LABEL_HEIGHT))
    draw.text((left, top), words, fill=COLORS[finding.module], font=font, stroke_width=2, stroke_fill=(0, 0, 0))
