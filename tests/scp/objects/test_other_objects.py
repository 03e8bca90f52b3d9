"""Presentation state, picture, PDF, key objects: what people without an SR viewer see."""

import numpy as np
import pytest
from pydicom.pixels import pixel_array

from phantoms.results import ring
from scp.objects.secondary_capture import hung


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


def test_picture_shows_all_views_with_marks_in_colour(one_of, inputs_of):
    ds = one_of("secondary-capture", "many")
    pixels = pixel_array(ds)
    assert pixels.shape[2] == 3
    colored = (pixels[..., 0] > 200) & (pixels[..., 2] < 120)
    assert colored.sum() > 1000
    assert (ds.BurnedInAnnotation, ds.ConversionType) == ("NO", "WSD")
    assert len(ds.SourceImageSequence) == 4
    assert [image.view for image in hung(inputs_of("many").result.analysed)] == ["CC", "CC", "MLO", "MLO"]


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
