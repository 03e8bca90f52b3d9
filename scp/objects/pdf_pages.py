"""The pages of the PDF report: who, what was found, on which images, by which networks."""

import math
from io import BytesIO

from pydicom import Dataset
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Flowable, Image, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from inference.results import Finding, ImageResult
from scp.objects import codes
from scp.objects.fonts import LATIN, marked_up, register_latin
from scp.objects.inputs import Inputs
from scp.objects.overlay import drawn
from scp.objects.secondary_capture import hung
from scp.objects.words import image_lines, image_name, model_words, study_lines

_PICTURES = 8
_GRID = TableStyle(
    [
        ("FONTNAME", (0, 0), (-1, -1), LATIN),
        ("FONTSIZE", (0, 0), (-1, -1), 8),
        ("GRID", (0, 0), (-1, -1), 0.4, colors.grey),
        ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
    ]
)


def pdf_pages(inputs: Inputs) -> bytes:
    """A4 pages; the same inputs give the same bytes."""
    register_latin()
    title = ParagraphStyle("title", fontName=LATIN, fontSize=14, leading=18)
    plain = ParagraphStyle("plain", fontName=LATIN, fontSize=9, leading=12)
    warning = ParagraphStyle("warning", parent=plain, textColor=colors.firebrick)
    story: list[Flowable] = [
        Paragraph("AI mammography findings", title),
        Paragraph(f"{codes.RESEARCH_USE}. Not verified by a radiologist.", warning),
        Spacer(1, 6),
        *(Paragraph(marked_up(line), plain) for line in _patient(inputs.first)),
        Spacer(1, 6),
        *(Paragraph(marked_up(line), plain) for line in (*study_lines(inputs.result), *_category(inputs))),
        Spacer(1, 6),
    ]
    if inputs.result.findings:
        story.extend([_findings(inputs), Spacer(1, 6)])
    if inputs.pictures is not None:
        story.extend(_pictures(inputs))
    story.extend(Paragraph(marked_up(line), plain) for line in image_lines(inputs.result))
    story.append(Spacer(1, 6))
    story.extend(Paragraph(marked_up(line), plain) for line in _models(inputs))
    buffer = BytesIO()
    page = SimpleDocTemplate(buffer, pagesize=A4, invariant=1, title="AI mammography findings", author="mammonode")
    page.build(story)
    return buffer.getvalue()


def _patient(source: Dataset) -> list[str]:
    name = str(source.get("PatientName") or "").replace("^", " ").replace("=", " / ").strip()
    return [
        f"Patient: {name or '(no name)'}, id {source.get('PatientID') or '(none)'}, "
        f"born {source.get('PatientBirthDate') or '(unknown)'}",
        f"Study: {source.get('StudyDate') or '(no date)'}, "
        f"accession number {source.get('AccessionNumber') or '(none)'}",
    ]


def _category(inputs: Inputs) -> list[str]:
    grade = inputs.result.study.grade
    if not inputs.options.assessment_category or grade is None:
        return []
    return [f"Assessment Category that the grade stands for: {codes.assessment_category(grade).meaning}."]


def _findings(inputs: Inputs) -> Table:
    rows = [["Image", "Finding", "Score", "Grade", "Centre (column, row)", "Size"]]
    rows.extend(_row(image, finding) for image in inputs.result.images for finding in image.findings)
    return Table(rows, style=_GRID, hAlign="LEFT")


def _row(image: ImageResult, finding: Finding) -> list[str]:
    score = f"{codes.per_cent(finding.score):g}"
    if finding.probability is not None:
        score += f" (probability {codes.per_cent(finding.probability):g} %)"
    column, row = finding.center
    return [
        image_name(image),
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


def _pictures(inputs: Inputs) -> list[Flowable]:
    """Two beside each other, hung as a reader hangs them; the first few where there are many."""
    cells = []
    for image in hung(inputs.result.analysed)[:_PICTURES]:
        picture = drawn(inputs, image, 700)
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        buffer.seek(0)
        height = 230
        cells.append(Image(buffer, width=height * picture.width / picture.height, height=height))
    rows = [cells[start : start + 2] for start in range(0, len(cells), 2)]
    return [Table([row + [""] * (2 - len(row)) for row in rows]), Spacer(1, 6)] if rows else []


def _models(inputs: Inputs) -> list[str]:
    lines = [f"Software mammonode {inputs.result.software_version}, result revision {inputs.revision.number}."]
    lines.extend(
        f"{model.module}: {model.name} {model.version}; {model_words(model)}." for model in inputs.result.models
    )
    for module, points in inputs.result.operating_points.items():
        for point in points:
            if math.isfinite(point.threshold):
                lines.append(
                    f"{module}, grade {point.grade} from score {codes.per_cent(point.threshold):g}: sensitivity "
                    f"{point.sensitivity * 100:.1f} %, specificity {point.specificity * 100:.1f} % (images)."
                )
    return lines
