"""OHIF's own adapters, in Node: rectangles hydrate where they are, segments load voxel for voxel."""

import json
import subprocess

import numpy as np
import pytest
from pydicom.pixels import pixel_array

from peers.ohif import adapters
from phantoms.mammogram import four_views
from phantoms.results import WRITTEN, case_result
from scp.objects.build import build
from scp.objects.inputs import ObjectOptions, Revision

pytestmark = [pytest.mark.viewer, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def adapter(pytestconfig):
    """The command that reads objects with OHIF's adapters."""
    return adapters(pytestconfig.rootpath / "tests/conformance/ohif", pytestconfig.rootpath / ".cache/ohif")


@pytest.fixture(scope="module")
def views():
    return four_views(rows=200, columns=160, study_date="20260301")


@pytest.fixture
def read_by_ohif(adapter, views, tmp_path):
    """Builds the case 'many', and returns the objects and what OHIF makes of them, by file name."""

    def read(kind, mode, **options):
        sources = {view.SOPInstanceUID: view for view in views}
        chosen = ObjectOptions(kinds=frozenset({kind}), **options)
        made = build(case_result("many", views), sources, chosen, Revision(1, WRITTEN))
        (tmp_path / "images").mkdir()
        for number, view in enumerate(views):
            view.save_as(tmp_path / "images" / f"{number}.dcm", enforce_file_format=True)
        for item in made:
            item.dataset.save_as(tmp_path / item.file_name, enforce_file_format=True)
        paths = [str(tmp_path / item.file_name) for item in made]
        command = [*adapter, mode, str(tmp_path / "images"), *paths]
        run = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        return {item.file_name: item.dataset for item in made}, json.loads(run.stdout)

    return read


def test_every_rectangle_hydrates_at_its_coordinates(read_by_ohif, views):
    _, answers = read_by_ohif("tid1500", "SR", hydratable=True)
    rectangles = answers["tid1500.dcm"]["RectangleROI"]
    spacing = float(views[0].ImagerPixelSpacing[0])
    # cornerstone's index 0 is the first pixel's centre, SCOORD's 0 is its outer corner
    expected = [
        (image.sop_instance_uid, tuple(finding.box))
        for image in case_result("many", views).images
        for finding in image.findings
    ]
    found = []
    for rectangle in rectangles:
        points = np.array(rectangle["points"])[:, :2] / spacing + 0.5
        found.append((rectangle["image"], (*points.min(axis=0), *points.max(axis=0))))
    assert [image for image, _ in found] == [image for image, _ in expected]
    np.testing.assert_allclose([box for _, box in found], [box for _, box in expected], atol=1e-3)


def test_without_the_setting_nothing_hydrates(read_by_ohif):
    """The marks are then drawn read-only, with our label: tests/conformance/test_ohif_browser.py."""
    _, answers = read_by_ohif("tid1500", "SR")
    assert "RectangleROI" not in answers["tid1500.dcm"]


def test_segments_load_voxel_for_voxel_with_the_orientation(read_by_ohif):
    objects, answers = read_by_ohif("seg", "SEG", plane_orientation=True)
    assert len(objects) == 3
    for name, ds in objects.items():
        frames = pixel_array(ds).reshape(-1, 200 * 160).astype(bool)
        loaded = np.zeros_like(frames)
        for label_map in answers[name]:
            for segment, voxels in label_map.items():
                loaded[int(segment) - 1, voxels] = True
        np.testing.assert_array_equal(loaded, frames)


def test_the_standards_own_segmentation_does_not_load(read_by_ohif):
    """OHIF's fault, and why the setting exists; when this test fails the setting can go."""
    _, answers = read_by_ohif("seg", "SEG")
    assert "ImageOrientationPatient" in answers["seg-1-RCC.dcm"]["error"]
