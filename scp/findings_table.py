"""A study's result as a table for the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from inference.grades import benign_stands, is_suspicious
from inference.results import Assessment, Finding, ImageResult, ModuleResult, ModuleStatus, StudyResult
from scp.gaps import Gap, Lack, gaps, summary
from scp.image_names import image_names
from scp.objects.words import unmarked_lines

DISCLAIMER = "AI result, unverified. Research use, not a diagnosis."


@dataclass(frozen=True)
class Told:
    """A result, the names of its images, and what it lacks."""

    result: StudyResult
    names: Mapping[str, str]
    gaps: tuple[Gap, ...]

    @classmethod
    def of(cls, result: StudyResult) -> "Told":
        """Names are completed from the files themselves."""
        names = image_names(result, {image.sop_instance_uid: Path(image.file) for image in result.images})
        return cls(result, names, gaps(result, names))


def print_result(result: StudyResult, out: Console) -> None:
    """The table, what it has no room for, and last the grades, which stay in sight."""
    told = Told.of(result)
    out.print(findings_table(told))
    for line in (*remark_lines(told), study_line(told)):
        out.print(line, markup=False, highlight=False)


def findings_table(told: Told) -> Table:
    """One row for each marked lesion, and one for each image and module without any."""
    result = told.result
    measured = all(image.pixel_spacing for image in result.analysed)
    caption = DISCLAIMER if measured else f"{DISCLAIMER} Size in pixels where the image does not tell millimetres."
    table = Table(title=f"Study {result.study_instance_uid}", title_justify="left", caption=caption)
    table.add_column("image")
    for heading in ("module", "score", "grade"):
        table.add_column(heading, no_wrap=True)
    for heading in ("centre (x, y)", "size"):
        table.add_column(heading)
    for image in result.images:
        if not image.modules:
            table.add_row(told.names[image.sop_instance_uid], image.status.value, "", "", "", "")
        for module in image.modules:
            _add_module(table, told, image, module)
    return table


def remark_lines(told: Told) -> list[str]:
    """What a table has no room for: what was not judged and why, and places that got no mark."""
    said = []
    for image in told.result.images:
        name = told.names[image.sop_instance_uid]
        if image.reason:
            said.append(f"{name} {image.status.value} ({Path(image.file).name}): {image.reason.text}")
        for module in image.modules:
            if module.reason:
                said.append(f"{name}, {module.module.value} {module.status.value}: {module.reason.text}")
    said += [f"{gap.name} {gap.lack.value}: {gap.reason.text}" for gap in told.gaps if gap.lack is Lack.NOT_RECEIVED]
    return [*said, *unmarked_lines(told.result)]


def study_line(told: Told) -> str:
    """The grade of the study and of each breast, or why it is withheld; and what the study lacks."""
    result = told.result
    breasts = (f"{side} breast: {_grade(breast)}" for side, breast in sorted(result.breasts.items(), reverse=True))
    lacking = [f"INCOMPLETE ({summary(told.gaps)})"] if told.gaps else []
    return "; ".join((f"study: {_grade(result.study)}", *breasts, *lacking))


def _grade(assessment: Assessment) -> str:
    if assessment.grade is not None:
        return f"grade {assessment.grade}"
    return f"no grade ({assessment.withheld.text if assessment.withheld else 'nothing was analysed'})"


def _add_module(table: Table, told: Told, image: ImageResult, module: ModuleResult) -> None:
    name = told.names[image.sop_instance_uid]
    for finding in module.findings:
        x, y = finding.center
        cells = (f"{finding.score:.3f}", str(finding.grade), f"{x:.0f}, {y:.0f}", _size(image, finding))
        table.add_row(name, module.module.value, *cells)
    if not module.findings:
        what = "no mark" if module.status is ModuleStatus.SUCCEEDED else module.status.value
        score = "" if module.score is None else f"{module.score:.3f}"
        stands = is_suspicious(module.grade) or benign_stands(told.result, image)
        table.add_row(name, module.module.value, score, str(module.grade or "") if stands else "", what, "")


def _size(image: ImageResult, finding: Finding) -> str:
    x0, y0, x1, y1 = finding.box
    if image.pixel_spacing is None:
        return f"{x1 - x0:.0f} x {y1 - y0:.0f} px"
    row, column = image.pixel_spacing
    return f"{(x1 - x0) * column:.0f} x {(y1 - y0) * row:.0f} mm"
