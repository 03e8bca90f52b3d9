"""On paper a breast keeps its shape, a hanging its page, and the first page says whose it is and what it is."""

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from peers.report_tab import read_report
from scp.web import texts


def test_the_printed_report(browse, tmp_path) -> None:
    tab = read_report(browse)
    shape = tab.locator("figure.view canvas").first.evaluate("canvas => canvas.width / canvas.height")
    tab.pdf(path=tmp_path / "report.pdf", format="A4")
    document = pypdfium2.PdfDocument(tmp_path / "report.pdf")
    first = document[0].get_textpage().get_text_bounded()
    for words in ("Synthetic Mammo", "SYN0001", texts.UNVERIFIED, texts.SUMMARY, texts.FINDINGS):
        assert words in first, words
    parted = [page.get_textpage().get_text_bounded().replace("\r\n", " ") for page in document]
    assert len(parted) > 1
    assert all("Synthetic Mammo, SYN0001, " in text for text in parted)
    drawn = [
        (number, image.get_bounds())
        for number, page in enumerate(document)
        for image in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE])
    ]
    assert [number for number, _ in drawn] == [1, 1, 1, 1]
    for _, (left, bottom, right, top) in drawn:
        assert (right - left) / (top - bottom) == pytest.approx(shape, rel=0.02)


def test_tables_are_not_cut_on_paper(browse) -> None:
    tab = read_report(browse, viewport={"width": 700, "height": 1000})
    tab.emulate_media(media="print")
    cut = tab.locator(".scroll").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)")
    assert cut == [0, 0, 0]
    assert set(tab.locator(".scroll").evaluate_all("all => all.map(one => getComputedStyle(one).overflowX)")) == {
        "visible"
    }
