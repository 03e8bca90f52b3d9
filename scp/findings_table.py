"""A study's result as a table for the terminal."""

from pathlib import Path

from rich.table import Table

from inference.results import Assessment, Finding, ImageResult, ModuleResult, StudyResult

DISCLAIMER = "AI result, unverified. Research use, not a diagnosis."


def findings_table(result: StudyResult) -> Table:
    """One row for each marked lesion, and one for each image and module without any, with the reason."""
    measured = all(image.pixel_spacing for image in result.analysed)
    caption = DISCLAIMER if measured else f"{DISCLAIMER} Size in pixels where the image does not tell millimetres."
    table = Table(title=f"Study {result.study_instance_uid}", title_justify="left", caption=caption)
    for heading in ("image", "module", "score", "grade"):
        table.add_column(heading, no_wrap=True)
    for heading in ("centre (x, y)", "size"):
        table.add_column(heading, overflow="fold")
    for image in result.images:
        name = f"{image.laterality or '?'} {image.view or '?'}"
        if not image.modules:
            why = f"{image.status.value}: {image.reason.text}" if image.reason else image.status.value
            table.add_row(f"{name} {Path(image.file).name[-16:]}", "", "", "", why, "")
        for module in image.modules:
            _add_module(table, name, image, module)
    return table


def study_line(result: StudyResult) -> str:
    """The grade of the study and of each breast, or why it is withheld."""
    breasts = (f"{side} breast: {_grade(breast)}" for side, breast in sorted(result.breasts.items(), reverse=True))
    return "; ".join((f"study: {_grade(result.study)}", *breasts))


def _grade(assessment: Assessment) -> str:
    if assessment.grade is not None:
        return f"grade {assessment.grade}"
    return f"no grade ({assessment.withheld.text if assessment.withheld else 'nothing was analysed'})"


def _add_module(table: Table, name: str, image: ImageResult, module: ModuleResult) -> None:
    for finding in module.findings:
        x, y = finding.center
        cells = (f"{finding.score:.3f}", str(finding.grade), f"{x:.0f}, {y:.0f}", _size(image, finding))
        table.add_row(name, module.module.value, *cells)
    if not module.findings:
        if module.score is None:
            what = f"{module.status.value}: {module.reason.text}" if module.reason else module.status.value
        else:
            what = "no mark" + (f", {module.unmarked} below the mark grade" if module.unmarked else "")
        score = "" if module.score is None else f"{module.score:.3f}"
        table.add_row(name, module.module.value, score, str(module.grade or ""), what, "")


def _size(image: ImageResult, finding: Finding) -> str:
    x0, y0, x1, y1 = finding.box
    if image.pixel_spacing is None:
        return f"{x1 - x0:.0f} x {y1 - y0:.0f} px"
    row, column = image.pixel_spacing
    return f"{(x1 - x0) * column:.0f} x {(y1 - y0) * row:.0f} mm"
