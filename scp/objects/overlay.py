"""Pictures of the images with their lesions drawn, for the objects that every viewer can show."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.results import ImageResult, Module, Reason
from scp.objects.inputs import Inputs, InvalidObjectError
from scp.objects.labels import Label, labels, line_height, text_font

Color = tuple[int, int, int]
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
    for finding in image.findings:
        outline = [(x * scale, y * scale) for x, y in (*finding.outline, finding.outline[0])]
        draw.line(outline, fill=COLORS[finding.module], width=max(2, height // 450))
    for label in labels(image.findings, scale, *size):
        _write(draw, label)
    return picture


def _write(draw: ImageDraw.ImageDraw, label: Label) -> None:
    for number, line in enumerate(label.lines):
        draw.text(
            (label.left, label.top + number * line_height(label.size)),
            line,
            fill=COLORS[label.finding.module],
            font=text_font(label.size),
            stroke_width=max(2, label.size // 8),
            stroke_fill=(0, 0, 0),
        )
