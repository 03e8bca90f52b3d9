"""The PDF report as a reader's program sees it (pdfium, which is in Chromium)."""

from copy import deepcopy

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from phantoms.files import named
from phantoms.results import WRITTEN, image_result, study_result
from scp.objects.build import build
from scp.objects.inputs import ObjectOptions, Revision
from scp.objects.pdf_edges import date_words

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
    assert "UNVERIFIED: not verified by a radiologist" in text
    assert "60, 80" in text


def pages_of(ds):
    """The words of each page, in the order they are written."""
    document = pypdfium2.PdfDocument(ds.EncapsulatedDocument)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def test_every_page_says_whose_it_is_which_of_how_many_and_that_nobody_verified_it(one_of, views):
    for view in views:
        view.PatientName, view.PatientID, view.PatientBirthDate = "Doe^Jane", "4711", "19600131"
        view.StudyDate, view.AccessionNumber = "20161004", "A1"
    pages = pages_of(one_of("pdf", "many"))
    assert len(pages) > 1
    for number, words in enumerate(pages, 1):
        assert "Patient: Doe Jane, id 4711, born 1960-01-31" in words
        assert "Study: 2016-10-04, accession number A1" in words
        assert "AI mammography findings. Research use, not a diagnosis. UNVERIFIED" in words
        assert f"Page {number} of {len(pages)}" in words


def test_what_is_unknown_of_a_patient_is_said(one_of, views):
    for view in views:
        view.PatientName, view.PatientID, view.PatientBirthDate = "", "", ""
        view.StudyDate, view.AccessionNumber = "", ""
    (words, *_) = pages_of(one_of("pdf", "none"))
    assert "Patient: (no name), id (none), born (unknown) Study: (no date), accession number (none)" in words
    assert date_words("2016.10.04") == "2016.10.04", "as ACR-NEMA wrote it"


def test_institution_and_time_of_analysis_are_named(one_of, views):
    for view in views:
        view.InstitutionName = "Klinik am See"
    (text, *_) = pages_of(one_of("pdf", "none"))
    assert "Institution: Klinik am See" in text
    made = "By mammonode 0.1.0, mammonode nodule 1.0, mammonode microcalcification 1.0, analysed 2026-03-02 09:30 UTC"
    assert made in text
    for view in views:
        del view.InstitutionName
    assert "Institution" not in read(one_of("pdf", "none"))[0]
    assert "Institution: Our clinic" in read(one_of("pdf", "none", institution="Our clinic"))[0]


def test_images_not_analysed_come_before_the_pictures(one_of):
    ds = one_of("pdf", "partial")
    words = " ".join(pages_of(ds))
    table, pictures = words.index("Images not analysed"), words.index("R CC: analysed, 1 mark")
    assert table < words.index("Marks") < pictures
    assert "View Status Reason L MLO FAILED The pixels cannot be decoded" in words[table:pictures]
    assert "L MLO: FAILED, The pixels cannot be decoded" in words[pictures:]
    assert "R MLO: analysed, no mark; microcalcification failed" in words[pictures:]
    assert "DejaVuSans-Bold" in read(ds)[1]
    assert "Images not analysed" not in read(one_of("pdf", "one"))[0]


def test_a_view_that_did_not_come_has_an_empty_place(one_of, views):
    del views[1:]
    images = [image_result(views[0])]
    (words, *_) = pages_of(one_of("pdf", result=study_result(images, views[0].StudyInstanceUID)))
    for caption in ("R CC: analysed, no mark", "L CC: not received", "R MLO: not received", "L MLO: not received"):
        assert caption in words


def test_each_grade_is_explained(one_of):
    text = read(one_of("pdf", "none"))[0]
    for words in (
        "6: malignant (",
        "5: very high suspicion (",
        "4: suspicion (",
        "3: probably benign (",
        "1: benign (",
    ):
        assert f"Grade {words}" in text
    assert "Grade 2 is not used." in text


def test_only_the_modules_own_words_are_used(one_of):
    text = read(one_of("pdf", "many"))[0].lower()
    assert "mass" not in text
    assert text.count("calcification") == text.count("microcalcification") > 0


def test_pictures_beyond_the_first_are_counted(views):
    instances = []
    for number in range(10):
        copy = deepcopy(views[0])
        copy.SOPInstanceUID = f"1.2.3.{number}"
        instances.append(copy)
    (item,) = build(
        study_result([image_result(ds) for ds in instances], views[0].StudyInstanceUID),
        {ds.SOPInstanceUID: ds for ds in instances},
        ObjectOptions(kinds=frozenset({"pdf"})),
        Revision(1, WRITTEN),
        pictures=lambda _: np.full((200, 160), 90, np.uint8),
    )
    assert "6 more analysed image(s) have no picture here." in read(item.dataset)[0]
