"""A picture of an analysed image with its lesions outlined: people look before they read."""

from pathlib import Path

from PIL import ImageDraw

from inference.pixels import read_grey
from inference.results import ImageResult
from scp.objects.overlay import text_font, with_lesions

_HEIGHT = 1400
LEGEND = "AI marks, unverified. Research use, not a diagnosis."


def write_picture(image: ImageResult, folder: Path, memory: int) -> Path:
    """Write <laterality><view>-<last digits of the SOP Instance UID>.png and return its path."""
    picture = with_lesions(read_grey(Path(image.file), memory=memory).values, image, _HEIGHT)
    draw = ImageDraw.Draw(picture)
    place, font = (10, _HEIGHT - 30), text_font(16)
    draw.text(place, LEGEND, fill=(255, 255, 255), font=font, stroke_width=2, stroke_fill=(0, 0, 0))
    path = folder / f"{image.laterality or ''}{image.view or 'image'}-{image.sop_instance_uid[-8:].strip('.')}.png"
    picture.save(path)
    return path
