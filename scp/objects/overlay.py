"""Pictures of the images with their lesions drawn, for the objects that every viewer can show."""

from PIL import Image, ImageDraw, ImageFont

from inference.results import Finding, ImageResult, Module, Reason
from scp.objects import codes
from scp.objects.inputs import Inputs, InvalidObjectError

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
    scale = height / image.rows
    size = (max(1, round(image.columns * scale)), height)
    picture = Image.fromarray(grey).resize(size, Image.Resampling.BOX).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for finding in image.findings:
        _draw_lesion(draw, finding, scale, size[0])
    return picture


def text_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, so that the picture is the same on every machine."""
    return ImageFont.load_default(size)


def _draw_lesion(draw: ImageDraw.ImageDraw, finding: Finding, scale: float, width: int) -> None:
    color = COLORS[finding.module]
    outline = [(x * scale, y * scale) for x, y in (*finding.outline, finding.outline[0])]
    draw.line(outline, fill=color, width=2)
    font = text_font(18)
    words = codes.label(finding)
    left = min(max(finding.box[0] * scale, 0), max(width - draw.textlength(words, font), 0))
    top = max(finding.box[1] * scale - 24, 0)
    draw.text((left, top), words, fill=color, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
