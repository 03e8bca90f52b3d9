"""Segmentations: the outline's pixels, exactly, in the source's geometry."""

import subprocess
import sys

import numpy as np
import pytest
from pydicom.pixels import pixel_array

from inference.results import Module
from phantoms.files import reread
from phantoms.results import image_result, lesion, ring, study_result
from scp.objects.raster import draw_finding, fill_polygon


def inside(outline, rows, columns):
    """Slow and literal: crossing number of every pixel centre."""
    mask = np.zeros((rows, columns), bool)
    for row in range(rows):
        for column in range(columns):
            x, y = column + 0.5, row + 0.5
            for (x0, y0), (x1, y1) in zip(outline, [*outline[1:], outline[0]], strict=True):
                if (y0 <= y) != (y1 <= y) and x >= x0 + (y - y0) / (y1 - y0) * (x1 - x0):
                    mask[row, column] = ~mask[row, column]
    return mask


STAR = ((20.3, 2.1), (24.0, 15.5), (38.2, 16.0), (27.7, 24.9), (31.0, 38.4), (20.1, 30.0), (8.8, 38.0), (2.5, 16.2))


@pytest.mark.parametrize(
    "outline", [STAR, ring((20.5, 20.5), 11.3), ring((2.0, 38.0), 9.0), ((5, 5), (9, 5), (9, 8), (5, 8))]
)
def test_polygon_is_its_pixel_centres(outline):
    mask = np.zeros((40, 40), np.uint8)
    fill_polygon(mask, outline, 1)
    np.testing.assert_array_equal(mask, inside(outline, 40, 40))


def test_rectangle_covers_exactly_its_pixels():
    mask = np.zeros((20, 20), np.uint8)
    fill_polygon(mask, ((3, 4), (10, 4), (10, 6), (3, 6)), 1)
    assert mask.sum() == 14
    assert mask[4:6, 3:10].all()


def test_outline_without_a_pixel_centre_keeps_the_pixel_of_its_centre():
    mask = np.zeros((20, 20), np.uint8)
    draw_finding(mask, lesion("x", (5.1, 7.2), 0.05))
    assert np.argwhere(mask).tolist() == [[7, 5]]


def test_binary_round_trip_with_tracking_ids(build_case, views):
    seg = {item.file_name: item.dataset for item in build_case("many", kinds=["seg"])}
    assert list(seg) == ["seg-1-RCC.dcm", "seg-2-LCC.dcm", "seg-3-RMLO.dcm"]
    ds = reread(seg["seg-1-RCC.dcm"])
    frames = pixel_array(ds)
    assert frames.shape == (3, 200, 160)
    segments = [(segment.SegmentNumber, segment.TrackingID) for segment in ds.SegmentSequence]
    assert segments == [(1, "RCC-nodule-1"), (2, "RCC-nodule-2"), (3, "RCC-microcalcification-1")]
    np.testing.assert_array_equal(frames[0], inside(ring((60.0, 80.0), 20), 200, 160))
    assert ds.SegmentSequence[0].SegmentLabel == "AI nodule score 97 (grade 6)"
    assert (ds.Rows, ds.Columns, ds.PatientOrientation) == (200, 160, views[0].PatientOrientation)
    assert "FrameOfReferenceUID" not in ds


def test_bits_run_on_over_frames_of_odd_size(one_of, views):
    for view in views:
        view.Rows, view.Columns = 187, 151
    images = [image_result(views[0], [lesion(f"RCC-nodule-{n}", (40.0 + n, 60.0), 9) for n in range(3)])]
    ds = reread(one_of("seg", result=study_result(images, views[0].StudyInstanceUID)))
    frames = pixel_array(ds)
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame, inside(ring((40.0 + number, 60.0), 9), 187, 151))


def test_label_map_gives_overlaps_to_the_more_suspicious(one_of, views):
    first = lesion("RCC-nodule-1", (60.0, 80.0), score=0.6, grade=4)
    second = lesion("RCC-nodule-2", (70.0, 80.0), score=0.9)
    images = [image_result(views[0], [first, second]), *map(image_result, views[1:])]
    ds = reread(one_of("seg", result=study_result(images, views[0].StudyInstanceUID), labelmap=True))
    labels = pixel_array(ds)
    assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    low, high = inside(ring((60.0, 80.0), 20), 200, 160), inside(ring((70.0, 80.0), 20), 200, 160)
    np.testing.assert_array_equal(labels, np.where(high, 2, low.astype(int)))


def test_heat_map_is_fractional(build_case):
    objects = build_case("many", kinds=["heatmap"])
    assert [item.file_name for item in objects] == [
        f"heatmap-{n}-{v}.dcm" for n, v in enumerate(("RCC", "LCC", "RMLO", "LMLO"), 1)
    ]
    ds = reread(objects[0].dataset)
    assert (ds.SegmentationType, ds.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    ramp = np.linspace(0, 1, 200 * 160).reshape(200, 160)
    frames = pixel_array(ds)
    assert len(frames) == len(Module)
    np.testing.assert_array_equal(frames[0], np.rint(ramp * 0.97 * 255))
    np.testing.assert_array_equal(frames[1], np.rint(ramp * 0.91 * 255))


def test_heat_map_says_what_its_values_are_relative_to(one_of):
    ds = one_of("heatmap", "none")
    assert pixel_array(ds).max(axis=(1, 2)).tolist() == [13, 13], "5 of 100"
    assert ds.SeriesDescription == "AI activation, not probability - research use, not a diagnosis"
    nodule, calcification = ds.SegmentSequence
    assert nodule.SegmentLabel == "AI nodule activation, not a probability"
    assert nodule.SegmentDescription == (
        "Activation of the nodule module's network, scaled so that its highest value in the image is the module's "
        "score of the image (5 of 100). A relative measure, not a probability. Research use, not a diagnosis."
    )
    assert calcification.SegmentLabel == "AI microcalcification activation, not a probability"


def test_heat_map_of_a_module_without_a_score_is_not_made(build_case):
    made = {item.file_name: item.dataset for item in build_case("partial", kinds=["heatmap"])}
    assert list(made) == ["heatmap-1-RCC.dcm", "heatmap-2-LCC.dcm", "heatmap-3-RMLO.dcm"]
    assert [s.SegmentLabel for s in made["heatmap-3-RMLO.dcm"].SegmentSequence] == [
        "AI nodule activation, not a probability"
    ]


def test_label_of_a_calibrated_mark_keeps_its_grade(one_of, views):
    cluster = lesion("RCC-microcalcification-1", (60.0, 80.0), module=Module.MICROCALCIFICATION, probability=0.191)
    (segment,) = one_of("seg", result=study_result([image_result(views[0], [cluster])], "1.2.3")).SegmentSequence
    assert segment.SegmentLabel == "AI microcalcification score 91 (grade 5)"
    assert segment.SegmentDescription == "calibrated probability 19.1 %; Research use, not a diagnosis"


def test_plane_orientation_is_an_opt_in(one_of):
    assert "PlaneOrientationSequence" not in one_of("seg").SharedFunctionalGroupsSequence[0]
    shared = one_of("seg", plane_orientation=True).SharedFunctionalGroupsSequence[0]
    assert list(shared.PlaneOrientationSequence[0].ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    assert list(spacing) == pytest.approx([1.1648 / 1.03125] * 2), "at the breast"


def test_no_spacing_is_made_up(one_of, views):
    for view in views:
        del view.ImagerPixelSpacing
    (measures,) = one_of("seg", plane_orientation=True).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    assert "PixelSpacing" not in measures
    assert measures.SliceThickness == 1


LARGE = """
import resource, sys, time
sys.path[:0] = [{tests!r}]
from pydicom.dataset import Dataset
from phantoms.mammogram import mammogram
from phantoms.results import WRITTEN, image_result, lesion, study_result
from scp.objects.build import build
from scp.objects.inputs import ObjectOptions, Revision
view = mammogram("R", "CC", rows=64, columns=64)
del view.PixelData
view.Rows, view.Columns = 4096, 3328
marks = [lesion(f"RCC-nodule-{{n}}", (400.0 + 250 * n, 500.0 + 300 * n), 150) for n in range(10)]
result = study_result([image_result(view, marks)], view.StudyInstanceUID)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
options = ObjectOptions(kinds=frozenset({{"seg"}}))
objects = build(result, {{view.SOPInstanceUID: view}}, options, Revision(1, WRITTEN))
seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(seconds, (peak - before) / 1024, len(objects[0].dataset.PixelData))
"""


@pytest.mark.alone
def test_large_image_takes_under_a_second_and_300_megabytes(pytestconfig):
    """4096 x 3328, ten lesions, in a process of its own so that its peak memory is this object's."""
    code = LARGE.format(tests=str(pytestconfig.rootpath / "tests"))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    seconds, megabytes, size = (float(word) for word in run.stdout.split())
    assert size == 4096 * 3328 * 10 / 8
    assert seconds < 1
    assert megabytes < 300
