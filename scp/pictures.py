"""A picture of an analysed image with its lesions outlined: people look before they read."""

from pathlib import Path

from PIL import Image, ImageDraw

from inference.pixels import read_grey
from inference.results import ImageResult
from scp.objects.labels import text_font
from scp.objects.overlay import with_lesions

_HEIGHT, _FOOT = 1400, 30
LEGEND = "AI marks, unverified. Research use, not a diagnosis."


def write_picture(image: ImageResult, folder: Path, memory: int) -> Path:
    """Write <laterality><view>-<last digits of the SOP Instance UID>.png and return its path."""
    picture = with_lesions(read_grey(Path(image.file), memory=memory).values, image, _HEIGHT)
    sheet = Image.new("RGB", (picture.width, _HEIGHT + _FOOT))
    sheet.paste(picture)
    ImageDraw.Draw(sheet).text((10, _HEIGHT + 6), LEGEND, fill=(255, 255, 255), font=text_font(16))
    path = folder / f"{image.laterality or ''}{image.view or 'image'}-{image.sop_instance_uid[-8:].strip('.')}.png"
    sheet.save(path)
    return path
