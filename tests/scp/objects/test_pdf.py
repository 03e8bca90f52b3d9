"""The PDF report as a reader's program sees it (pdfium, which is in Chromium)."""

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from phantoms.files import named

NAMES = [
    ("Müller^Åse", "Müller Åse", {"DejaVuSans"}),
    ("Łuczak^Żaneta", "Łuczak Żaneta", {"DejaVuSans"}),
    ("Ηλιάδη^Ελένη", "Ηλιάδη Ελένη", {"DejaVuSans"}),
    (
        "Yamada^Hanako=山田^花子=やまだ^はなこ",
        "Yamada Hanako / 山田 花子 / やまだ はなこ",
        {"DejaVuSans", "IPAexGothic"},
    ),
    (
        "Hong^Gildong=洪^吉洞=홍^길동",
        "Hong Gildong / 洪 吉洞 / 홍 길동",
        {"DejaVuSans", "IPAexGothic", "NanumGothic"},
    ),
    ("Wang^XiaoDong=王^小東", "Wang XiaoDong / 王 小東", {"DejaVuSans", "IPAexGothic"}),
]


def read(ds):
    """The text of all pages, and the names of the fonts that are in the file."""
    document = pypdfium2.PdfDocument(ds.EncapsulatedDocument)
    text, embedded = "", set()
    for page in document:
        text += page.get_textpage().get_text_range()
        for drawn in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT]):
            font = drawn.get_font()
            if font.is_embedded:
                embedded.add(font.get_base_name().rpartition("+")[2])
    return text, embedded


@pytest.mark.parametrize(("name", "words", "fonts"), NAMES, ids=[words for _, words, _ in NAMES])
def test_a_name_of_any_alphabet_is_drawn_in_embedded_fonts(one_of, views, name, words, fonts):
    views[:] = [named(view, "ISO_IR 192", name) for view in views]
    text, embedded = read(one_of("pdf", "none"))
    assert f"Patient: {words}, id " in text
    assert embedded == fonts


def test_simplified_characters_are_left_to_the_readers_own_font(one_of, views):
    views[:] = [named(view, "GB18030", "Zhang^Han=张^汉") for view in views]
    ds = one_of("pdf", "none")
    assert read(ds)[1] == {"DejaVuSans"}
    assert b"/BaseFont /STSong-Light" in ds.EncapsulatedDocument


def test_markup_in_a_name_is_text(one_of, views):
    for view in views:
        view.PatientName = "<b>O&M^<i/>"
    assert "Patient: <b>O&M <i/>, id " in read(one_of("pdf", "none"))[0]


def test_marks_are_named_with_score_grade_and_place(one_of):
    text, _ = read(one_of("pdf", "one"))
    assert "AI mammography findings" in text
    assert "Not verified by a radiologist" in text
    assert "60, 80" in text
