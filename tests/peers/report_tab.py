"""The report of the analysed study in a browser's tab, and what tests ask of it."""

from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset

from phantoms.web_study import STUDY

REPORT = f"/studies/{STUDY}"
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
MATRIX = "element => { const m = element.getScreenCTM(); return [m.a, m.d, m.e, m.f]; }"


def read_report(browse, **options):
    """Open it, and return when all images are there."""
    tab = browse(REPORT, **options)
    tab.wait_for_selector("#reading[data-ready=yes]")
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return tab


def keep(tab, name: str) -> None:
    """A screenshot for people."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=SCREENSHOTS / f"{name}.png")


def view(tab, number: int):
    """Image `number` of the study, from 1."""
    return tab.locator(f'figure[data-sop="{STUDY}.1.{number}"]')


def wait_for_matrix(tab, number: int, condition: str) -> None:
    """Wait until image `number` is mapped so; `m` is the matrix from stored pixels to the screen."""
    stored = f"document.querySelector('figure[data-sop=\"{STUDY}.1.{number}\"] .stored')"
    tab.wait_for_function(f"() => {{ const m = {stored}.getScreenCTM(); return {condition}; }}")


def walk(item: Dataset) -> Iterator[Dataset]:
    """Every content item below one."""
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)
