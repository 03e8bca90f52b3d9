"""Presentation state, picture, PDF, key objects: what people without an SR viewer see."""

from copy import deepcopy

import numpy as np
import pytest
from PIL import ImageDraw
from pydicom.pixels import pixel_array

from phantoms.results import WRITTEN, image_result, lesion, ring, study_result
from scp.objects.build import build
from scp.objects.inputs import ObjectOptions, Revision
from scp.objects.labels import text_font


def test_presentation_state_draws_the_reports_coordinates(build_case, views):
    made = {item.file_name: item.dataset for item in build_case("many", kinds=["gsps"])}
    assert list(made) == ["gsps-1-RCC.dcm", "gsps-2-LCC.dcm", "gsps-3-RMLO.dcm"]
    assert len({ds.SeriesInstanceUID for ds in made.values()}) == 1
    annotation = made["gsps-1-RCC.dcm"].GraphicAnnotationSequence[0]
    expected = ring((60.0, 80.0), 20)
    np.testing.assert_allclose(
        annotation.GraphicObjectSequence[0].GraphicData, np.ravel([*expected, expected[0]]), rtol=1e-6
    )
    assert annotation.TextObjectSequence[0].UnformattedTextValue == "AI nodule score 97 (grade 6)"


@pytest.mark.parametrize(
    ("center", "width", "function", "photometric", "shape"),
    [
        ([2000, 1900], [4000, 3000], "SIGMOID", "MONOCHROME2", "IDENTITY"),
        (1000, 2000, None, "MONOCHROME1", "INVERSE"),
    ],
)
def test_presentation_state_repeats_the_first_window(one_of, views, center, width, function, photometric, shape):
    for view in views:
        view.WindowCenter, view.WindowWidth, view.PhotometricInterpretation = center, width, photometric
        if function:
            view.VOILUTFunction = function
    ds = one_of("gsps")
    (voi,) = ds.SoftcopyVOILUTSequence
    first = (center, width) if isinstance(center, int) else (center[0], width[0])
    assert (voi.WindowCenter, voi.WindowWidth) == first
    assert voi.get("VOILUTFunction") == function
    assert (ds.PresentationLUTShape, ds.RescaleSlope) == (shape, 1)


def test_presentation_state_without_a_window_has_none(one_of, views):
    for view in views:
        del view.WindowCenter, view.WindowWidth
    assert "SoftcopyVOILUTSequence" not in one_of("gsps")


def test_picture_shows_all_views_with_marks_in_colour(one_of):
    ds = one_of("secondary-capture", "many")
    pixels = pixel_array(ds)
    assert pixels.shape[2] == 3
    colored = (pixels[..., 0] > 200) & (pixels[..., 2] < 120)
    assert colored.sum() > 1000
    assert (ds.BurnedInAnnotation, ds.ConversionType) == ("NO", "WSD")
    assert len(ds.SourceImageSequence) == 4


def words_of(monkeypatch):
    """All that is written into pictures from now on, with its place."""
    written = []
    draw = ImageDraw.ImageDraw.text

    def text(self, place, words, *arguments, **keywords):
        written.append((place, words))
        draw(self, place, words, *arguments, **keywords)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return written


def test_picture_says_what_it_is_and_not_whose(one_of, views, monkeypatch):
    written = words_of(monkeypatch)
    one_of("secondary-capture", "partial")
    lines = [words for _, words in written]
    lines = lines[lines.index("AI RESULT - RESEARCH USE, NOT A DIAGNOSIS - UNVERIFIED") :]
    assert lines[3] == (
        "mammonode 0.1.0, mammonode nodule 1.0, mammonode microcalcification 1.0, analysed 2026-03-02 09:30 UTC, "
        "research use, not a diagnosis, UNVERIFIED"
    )
    for caption in (
        "R CC: analysed, 1 mark; AI marks, unverified",
        "L CC: analysed, no mark",
        "R MLO: analysed, no mark; microcalcification failed",
        "L MLO: FAILED, The pixels cannot be decoded",
        "L MLO: failed; The pixels cannot be decoded.",
    ):
        assert caption in lines
    every = " ".join(lines)
    assert not any(
        str(part) in every for part in (views[0].PatientID, *views[0].PatientName.components[0].split("^"))
    )


def test_words_of_neighbours_stay_on_their_own_side_of_the_midline(build_case, views, monkeypatch):
    """Marks at both chest walls, as in film that was cut there."""
    written = words_of(monkeypatch)
    right = lesion("RCC-nodule-1", (150.0, 80.0), 9, probability=0.191)
    left = lesion("LCC-nodule-1", (10.0, 80.0), 9, probability=0.136)
    images = [image_result(views[0], [right]), image_result(views[1], [left]), *map(image_result, views[2:])]
    result = study_result(images, views[0].StudyInstanceUID)
    (item,) = build_case(kinds=["secondary-capture"], result=result)
    assert item.dataset.Columns == 2 * 720 + 24
    (x, _), words = next(line for line in written if line[1].startswith("AI nodule"))
    assert x + text_font(25).getlength(words) <= 720 - 5
    pixels = pixel_array(item.dataset)
    legend = next(
        round(place[1]) for place, words in written if words == "R CC: analysed, 1 mark; AI marks, unverified"
    )
    assert pixels[legend:, 720:744].max() == 0


@pytest.mark.parametrize(("burned", "expected"), [("YES", "YES"), ("NO", "NO"), (None, "NO")])
def test_picture_of_an_image_with_words_burned_in_says_so(one_of, views, burned, expected):
    if burned:
        views[3].BurnedInAnnotation = burned
    assert one_of("secondary-capture").BurnedInAnnotation == expected


def test_picture_of_many_images_is_nearly_square(views):
    instances = []
    for number in range(40):
        copy = deepcopy(views[number % 4])
        copy.SOPInstanceUID = f"1.2.3.{number}"
        instances.append(copy)
    result = study_result([image_result(ds) for ds in instances], views[0].StudyInstanceUID)
    (item,) = build(
        result,
        {ds.SOPInstanceUID: ds for ds in instances},
        ObjectOptions(kinds=frozenset({"secondary-capture"})),
        Revision(1, WRITTEN),
        pictures=lambda _: np.full((200, 160), 90, np.uint8),
    )
    assert item.dataset.Columns == 3 * (2 * 240 + 24) + 2 * 24
    assert 2000 < item.dataset.Rows < 2300


def test_picture_of_a_study_without_marks_has_no_colour_in_its_images(one_of):
    pixels = pixel_array(one_of("secondary-capture", "none")).astype(int)
    below_the_legend = pixels[-1700:]
    assert (below_the_legend.max(axis=2) - below_the_legend.min(axis=2)).max() == 0


def test_nothing_analysed_means_no_picture_and_no_marks(build_case):
    kinds = [item.kind for item in build_case("failed")]
    assert kinds == ["cad-sr", "tid1500", "pdf"]


def test_pdf_is_a_pdf_that_names_its_sources(one_of, views):
    ds = one_of("pdf")
    assert ds.EncapsulatedDocument[:5] == b"%PDF-"
    assert len(ds.EncapsulatedDocument) - ds.EncapsulatedDocumentLength in (0, 1)
    assert [item.ReferencedSOPInstanceUID for item in ds.SourceInstanceSequence] == [v.SOPInstanceUID for v in views]


def test_key_objects_are_the_images_with_findings(build_case, views):
    (item,) = build_case("one", kinds=["kos"])
    images = [content for content in item.dataset.ContentSequence if content.ValueType == "IMAGE"]
    assert [image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for image in images] == [views[0].SOPInstanceUID]
    assert build_case("none", kinds=["kos"]) == ()
