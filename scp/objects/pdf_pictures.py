"""The views in the PDF report, hung in pairs, each with its caption."""

from io import BytesIO

from reportlab.lib import colors
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, Image, Paragraph, Spacer, Table, TableStyle

from scp.objects.fonts import LATIN, marked_up
from scp.objects.hanging import Place, Row, hanging
from scp.objects.inputs import Inputs
from scp.objects.overlay import drawn

CAPTION = ParagraphStyle("caption", fontName=LATIN, fontSize=8, leading=10)
FAILED = ParagraphStyle("failed", parent=CAPTION, textColor=colors.firebrick)
_ROWS = 4
_HEIGHT, _WIDTH = 230, 236
"""A picture fits into this, in points; two of them make the width of the page."""
_EMPTY_WIDTH, _LOW = 130, 30
_PIXELS = 1100

Jpegs = dict[str, tuple[bytes, float]]


def jpegs(inputs: Inputs) -> Jpegs:
    """The pictures that are shown, by SOP Instance UID, each with its width over its height."""
    made: Jpegs = {}
    if inputs.pictures is None:
        return made
    for row in hanging(inputs.result.images)[:_ROWS]:
        for image in (place.picture_of for place in row if place):
            if image is not None:
                picture = drawn(inputs, image, _PIXELS)
                buffer = BytesIO()
                picture.save(buffer, "JPEG", quality=85)
                made[image.sop_instance_uid] = buffer.getvalue(), picture.width / picture.height
    return made


def picture_table(inputs: Inputs, pictures: Jpegs) -> list[Flowable]:
    """R beside L, CC above MLO; the first few where there are many, and how many more there are."""
    if not pictures:
        return []
    rows = [_cells(row, pictures) for row in hanging(inputs.result.images)[:_ROWS]]
    style = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("ALIGN", (0, 0), (0, -1), "RIGHT"),
            ("ALIGN", (1, 0), (1, -1), "LEFT"),
            ("LEFTPADDING", (0, 0), (-1, -1), 3),
            ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ]
    )
    more = len(inputs.result.analysed) - len(pictures)
    words = [Paragraph(f"{more} more analysed image(s) have no picture here.", CAPTION)] if more else []
    return [Table(rows, colWidths=[_WIDTH + 8] * 2, style=style), *words, Spacer(1, 6)]


def _cells(row: Row, pictures: Jpegs) -> list[list[Flowable]]:
    """Captions and pictures at the midline of the page; a row without any picture is low."""
    height = _HEIGHT if any(place and place.picture_of for place in row) else _LOW
    cells: list[list[Flowable]] = []
    for place, alignment in zip(row, (TA_RIGHT, TA_LEFT), strict=True):
        if place is None:
            cells.append([])
            continue
        style = ParagraphStyle("hung", parent=FAILED if place.failed else CAPTION, alignment=alignment)
        words = Paragraph(marked_up(place.caption), style)
        cells.append([words, Spacer(1, 2), _picture(place, pictures, height)])
    return cells


def _picture(place: Place, pictures: Jpegs, height: float) -> Flowable:
    """The picture, or an empty frame."""
    image = place.picture_of
    if image is None:
        style = TableStyle([("BOX", (0, 0), (-1, -1), 0.6, colors.firebrick if place.failed else colors.grey)])
        return Table([[""]], colWidths=[_EMPTY_WIDTH], rowHeights=[height], style=style)
    data, ratio = pictures[image.sop_instance_uid]
    width = min(height * ratio, _WIDTH)
    return Image(BytesIO(data), width=width, height=width / ratio)
