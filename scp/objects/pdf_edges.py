"""The head and the foot of every page of the PDF report: a page that goes astray still says whose and what it is."""

from collections.abc import Callable
from typing import Any

from pydicom import Dataset
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Paragraph

from scp.objects import codes
from scp.objects.fonts import LATIN, marked_up

MARGIN = 48
_EDGE = MARGIN + 6
"""Where the words begin: reportlab pads its frame."""
FOOT = f"AI mammography findings. {codes.RESEARCH_USE}. UNVERIFIED"
_STYLE = ParagraphStyle("edge", fontName=LATIN, fontSize=8, leading=11)
_WIDTH, _HEIGHT = A4


def head_height(source: Dataset) -> float:
    """Of the patient's lines, in points: a long name takes more."""
    return float(_head(source).wrap(_WIDTH - 2 * _EDGE, _HEIGHT)[1])


def edges(source: Dataset, pages: int) -> Callable[[Any, Any], None]:
    """What reportlab calls for each page of `pages`."""

    def draw(canvas: Any, document: Any) -> None:
        head = _head(source)
        height = head.wrap(_WIDTH - 2 * _EDGE, _HEIGHT)[1]
        head.drawOn(canvas, _EDGE, _HEIGHT - 28 - height)
        canvas.line(_EDGE, _HEIGHT - 32 - height, _WIDTH - _EDGE, _HEIGHT - 32 - height)
        canvas.setFont(LATIN, 8)
        canvas.drawString(_EDGE, 30, FOOT)
        canvas.drawRightString(_WIDTH - _EDGE, 30, f"Page {document.page} of {pages}")

    return draw


def date_words(value: object) -> str:
    """A DICOM date as 2016-10-04; what is no date, as it is."""
    digits = str(value or "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else digits


def _head(source: Dataset) -> Paragraph:
    name = str(source.get("PatientName") or "").replace("^", " ").replace("=", " / ").strip()
    lines = (
        f"Patient: {name or '(no name)'}, id {source.get('PatientID') or '(none)'}, "
        f"born {date_words(source.get('PatientBirthDate')) or '(unknown)'}",
        f"Study: {date_words(source.get('StudyDate')) or '(no date)'}, "
        f"accession number {source.get('AccessionNumber') or '(none)'}",
    )
    return Paragraph("<br/>".join(marked_up(line) for line in lines), _STYLE)
