"""The pages of the PDF report: who, what was found, on which images, by which networks."""

import math
from collections.abc import Sequence
from io import BytesIO

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from inference.results import Finding, ImageResult, Status
from scp.objects import codes
from scp.objects.fonts import BOLD, LATIN, marked_up, register_latin
from scp.objects.inputs import Inputs
from scp.objects.pdf_edges import MARGIN, edges, head_height
from scp.objects.pdf_pictures import CAPTION, FAILED, Jpegs, jpegs, picture_table
from scp.objects.words import analysed_by, image_words, model_words, study_lines, view_name

_TITLE = ParagraphStyle("title", fontName=LATIN, fontSize=14, leading=18)
_HEADING = ParagraphStyle("heading", fontName=LATIN, fontSize=10, leading=14, spaceBefore=6)
_PLAIN = ParagraphStyle("plain", fontName=LATIN, fontSize=9, leading=12)
_WARNING = ParagraphStyle("warning", parent=_PLAIN, textColor=colors.firebrick)
_UID = ParagraphStyle("uid", parent=CAPTION, fontSize=6, leading=8, wordWrap="CJK")
_GRID = TableStyle(
    [
        ("FONTNAME", (0, 0), (-1, -1), LATIN),
        ("FONTSIZE", (0, 0), (-1, -1), 8),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("GRID", (0, 0), (-1, -1), 0.4, colors.grey),
        ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
    ]
)
_OF_GRADES = "Grade 2 is not used. The words name ranges of a score: no grade proves a cancer or rules one out."
_IMAGE_WIDTHS = (80, 264, 150)


def pdf_pages(inputs: Inputs) -> bytes:
    """A4 pages; the same inputs give the same bytes. Set twice: every page says how many there are."""
    register_latin()
    head = head_height(inputs.first)  # before any picture: a study without a header is refused for that
    pictures = jpegs(inputs)
    _, pages = _set(inputs, pictures, head, pages=0)
    return _set(inputs, pictures, head, pages)[0]


def _set(inputs: Inputs, pictures: Jpegs, head: float, pages: int) -> tuple[bytes, int]:
    """The document, and its number of pages."""
    buffer = BytesIO()
    page = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=36 + head,
        bottomMargin=MARGIN,
        invariant=1,
        title="AI mammography findings",
        author="mammonode",
    )
    draw = edges(inputs.first, pages)
    page.build(_story(inputs, pictures), onFirstPage=draw, onLaterPages=draw)
    return buffer.getvalue(), int(page.page)


def _story(inputs: Inputs, pictures: Jpegs) -> list[Flowable]:
    result = inputs.result
    return [
        Paragraph("AI mammography findings", _TITLE),
        Paragraph(f"{codes.RESEARCH_USE}. UNVERIFIED: not verified by a radiologist.", _WARNING),
        *_lines([*_origin(inputs), *study_lines(result), *_category(inputs)]),
        *_not_analysed([image for image in result.images if image.status is not Status.ANALYSED]),
        *_findings(inputs),
        *picture_table(inputs, pictures),
        *_analysed(inputs),
        *_grades(),
        Paragraph("Software and networks", _HEADING),
        *_lines(_models(inputs)),
    ]


def _lines(lines: Sequence[str]) -> list[Flowable]:
    return [*(Paragraph(marked_up(line), _PLAIN) for line in lines), Spacer(1, 6)]


def _origin(inputs: Inputs) -> list[str]:
    institution = inputs.first.get("InstitutionName") or inputs.options.institution
    made = f"{analysed_by(inputs.result, inputs.revision.written)}, result revision {inputs.revision.number}."
    return [*([f"Institution: {institution}"] if institution else []), f"By {made}"]


def _category(inputs: Inputs) -> list[str]:
    grade = inputs.result.study.grade
    if not inputs.options.assessment_category or grade is None:
        return []
    return [f"Assessment Category that the grade stands for: {codes.assessment_category(grade).meaning}."]


def _not_analysed(images: Sequence[ImageResult]) -> list[Flowable]:
    """Before all pictures, what there is none of; what should have been analysed and could not be, first."""
    rows: list[list[object]] = [["View", "Status", "Reason"]]
    for image in sorted(images, key=lambda image: image.status is not Status.FAILED):
        failed = image.status is Status.FAILED
        style, font = (FAILED, BOLD) if failed else (CAPTION, LATIN)
        rows.append(
            [
                Paragraph(marked_up(view_name(image.laterality, image.view)), style),
                Paragraph(f'<font name="{font}">{image.status.upper()}</font>', style),
                [Paragraph(marked_up(codes.reason_words(image.reason)), style), _uid(image)],
            ]
        )
    table = Table(rows, style=_GRID, hAlign="LEFT", colWidths=(100, 70, 324), repeatRows=1)
    return [Paragraph("Images not analysed", _HEADING), table, Spacer(1, 6)] if images else []


def _findings(inputs: Inputs) -> list[Flowable]:
    rows = [["Image", "Finding", "Score (of 100)", "Grade", "Centre (column, row)", "Size"]]
    rows.extend(_row(image, finding) for image in inputs.result.images for finding in image.findings)
    table = Table(rows, style=_GRID, hAlign="LEFT", repeatRows=1)
    return [Paragraph("Marks", _HEADING), table, Spacer(1, 6)] if inputs.result.findings else []


def _row(image: ImageResult, finding: Finding) -> list[str]:
    score = f"{codes.per_cent(finding.score):g}"
    if finding.probability is not None:
        score += f" (calibrated probability {codes.per_cent(finding.probability):g} %)"
    column, row = finding.center
    return [
        view_name(image.laterality, image.view),
        finding.module.value,
        score,
        str(finding.grade),
        f"{column:.0f}, {row:.0f}",
        _size(image, finding),
    ]


def _size(image: ImageResult, finding: Finding) -> str:
    left, top, right, bottom = finding.box
    if image.pixel_spacing is None:
        return f"{right - left:.0f} x {bottom - top:.0f} pixels"
    row_spacing, column_spacing = image.pixel_spacing
    return f"{(right - left) * column_spacing:.0f} x {(bottom - top) * row_spacing:.0f} mm"


def _analysed(inputs: Inputs) -> list[Flowable]:
    """What was done with each image that has a picture, and which one it is."""
    images = inputs.result.analysed
    rows: list[list[object]] = [["View", "Result", "SOP Instance UID"]]
    rows.extend(
        [
            Paragraph(view_name(image.laterality, image.view), CAPTION),
            Paragraph(marked_up(image_words(inputs.result, image)), CAPTION),
            _uid(image),
        ]
        for image in images
    )
    table = Table(rows, style=_GRID, hAlign="LEFT", colWidths=_IMAGE_WIDTHS, repeatRows=1)
    return [Paragraph("Images analysed", _HEADING), table, Spacer(1, 6)] if images else []


def _uid(image: ImageResult) -> Flowable:
    return Paragraph(image.sop_instance_uid, _UID)


def _grades() -> list[Flowable]:
    """The paper's words: they name ranges of a score."""
    return [
        Paragraph("What the grades mean", _HEADING),
        *_lines([*(f"{code.meaning}." for code in codes.GRADES.values()), _OF_GRADES]),
    ]


def _models(inputs: Inputs) -> list[str]:
    lines = [f"{model.module}: {model.name} {model.version}; {model_words(model)}." for model in inputs.result.models]
    for module, points in inputs.result.operating_points.items():
        for point in points:
            if math.isfinite(point.threshold):
                lines.append(
                    f"{module}, grade {point.grade} from score {codes.per_cent(point.threshold):g}: sensitivity "
                    f"{point.sensitivity * 100:.1f} %, specificity {point.specificity * 100:.1f} % (images)."
                )
    return lines
