"""Outlines that cannot be true are rejected where they are read, each with its reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.results import Module
from inference.windows import Window
from phantoms.mammogram import mammogram
from training.annotations import AnnotatedImage, Annotations, Lesion, box_outline, read_annotations
from training.errors import TrainingError
from training.images import prepare
from training.labels import share_inside
from training.outlines import polygon_area, polygon_outline
from training.plan import paper_plan
from training.stated import file_size
from training.words import pathology_of

Write = Callable[..., Path]
FIGURE_OF_EIGHT = [10, 10, 30, 30, 30, 10, 10, 30]


@pytest.fixture
def coco(tmp_path: Path, write_picture: Write) -> Callable[..., Annotations]:
    """Read a COCO file of a.png (320 x 512) with this annotation, and of b.png without any."""

    def read(annotation: dict[str, Any], **image: Any) -> Annotations:
        write_picture(tmp_path / "a.png")
        write_picture(tmp_path / "b.png")
        images = [{"id": n, "file_name": f"{c}.png", "patient_id": c} for n, c in enumerate("ab")]
        images[0] |= image
        annotations = [{"id": 1, "image_id": 0, "category_id": 1, **annotation}]
        categories = [{"id": 1, "name": "malignant mass"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (tmp_path / "x.json").write_text(json.dumps(content))
        return read_annotations([tmp_path / "x.json"])

    return read


def manifest(folder: Path, rows: str, columns: str = "x,y,radius") -> Annotations:
    (folder / "manifest.csv").write_text(f"file,patient_id,lesion_type,pathology,{columns}\n{rows}")
    return read_annotations([folder])


def left_out(found: Annotations) -> list[tuple[str, str]]:
    return [(row.where, row.reason) for row in found.unusable]


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"segmentation": [[10, 10, 20, 20]]}, "an outline has 2 point(s): it needs 3"),
        (
            {"segmentation": [[10, 10, 20, 20, 30, 30]]},
            "an outline has no area: its points lie on a line, or it crosses itself",
        ),
        (
            {"segmentation": [FIGURE_OF_EIGHT]},
            "an outline has no area: its points lie on a line, or it crosses itself",
        ),
        ({"segmentation": [[10, 10, 20, 20, 30]]}, "a polygon has an odd number of coordinates"),
        ({"segmentation": [[10, 10, 20, float("nan"), 30, 30]]}, "an outline is not finite"),
        ({"segmentation": [[]]}, "an outline has 0 point(s): it needs 3"),
        (
            {"segmentation": [[400, 10, 420, 10, 420, 30]]},
            "an outline lies entirely outside the image of 320 x 512 pixels",
        ),
        ({"bbox": [10, 512, 5, 5]}, "an outline lies entirely outside the image of 320 x 512 pixels"),
        ({"bbox": [-10, 5, 10, 5]}, "an outline lies entirely outside the image of 320 x 512 pixels"),
        ({"bbox": [1, 2, 3]}, "the bbox is no list of x, y, width, height"),
        (
            {"segmentation": {"size": [10, 10], "counts": [10, 90]}},
            "the run lengths are of size [10, 10], and the file has 512 rows and 320 columns",
        ),
        ({"segmentation": {"counts": [10, 90]}}, "the run lengths do not fill 512 x 320 pixels"),
        ({"segmentation": {}, "bbox": [1, 1, 2, 2]}, "the run lengths do not fill 512 x 320 pixels"),
    ],
)
def test_an_outline_that_cannot_be_true_leaves_out_its_image(
    coco: Callable[..., Annotations], annotation: dict[str, Any], reason: str
) -> None:
    found = coco(annotation)
    assert [image.path.name for image in found.images] == ["b.png"]
    assert left_out(found) == [("annotation 1", reason)]


def test_an_outline_that_is_partly_outside_is_kept(coco: Callable[..., Annotations]) -> None:
    first, _ = coco({"bbox": [300, 500, 50, 50]}).images
    assert np.array_equal(first.lesions[0].outline, box_outline(300, 500, 350, 550))


def test_run_lengths_without_a_size_are_of_the_files(coco: Callable[..., Annotations]) -> None:
    counts = [512 * 10 + 5, 20, 512 * 310 - 25]
    first, _ = coco({"segmentation": {"counts": counts}}).images
    assert first.lesions[0].outline is not None
    assert first.lesions[0].outline.min(axis=0).tolist() == [10, 5]
    assert first.lesions[0].outline.max(axis=0).tolist() == [11, 25]


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"width": 512, "height": 320}, "width and height are 512 x 320, and the file has 320 x 512 pixels"),
        ({"width": 640}, "width and height are 640 x None, and the file has 320 x 512 pixels"),
        ({"width_over_height": "0.6"}, "width_over_height 0.6 is no number from 0.2 to 3"),
        ({"width_over_height": float("nan")}, "width_over_height nan is no number from 0.2 to 3"),
        ({"width_over_height": -0.6}, "width_over_height -0.6 is no number from 0.2 to 3"),
        ({"pixel_um": "fine"}, "pixel_um fine is no number from 1 to 10000"),
    ],
)
def test_what_a_coco_image_states_must_be_true_of_its_file(
    coco: Callable[..., Annotations], stated: dict[str, Any], reason: str
) -> None:
    found = coco({"bbox": [10, 10, 20, 20]}, **stated)
    assert [image.path.name for image in found.images] == ["b.png"]
    assert left_out(found) == [("image 0", reason)]


def test_a_coco_image_may_state_its_size_and_ratio(coco: Callable[..., Annotations]) -> None:
    found = coco({"bbox": [10, 10, 20, 20]}, width=320, height=512, width_over_height=0.6)
    assert found.unusable == []
    assert found.images[0].width_over_height == 0.6


@pytest.mark.parametrize("ratio", ["nan", "-0.6", "0", "3.5", "wide"])
def test_a_manifests_ratio_is_a_number_that_a_breast_can_have(
    tmp_path: Path, write_picture: Write, ratio: str
) -> None:
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / name)
    rows = f"a.png,P1,none,NORMAL,{ratio}\nb.png,P2,none,NORMAL,0.7\n"
    found = manifest(tmp_path, rows, columns="width_over_height")
    assert [image.path.name for image in found.images] == ["b.png"]
    ((where, reason),) = left_out(found)
    assert where == "manifest.csv line 2"
    assert reason.startswith(f"width_over_height {ratio}")


def test_a_manifests_circle_outside_the_image_puts_it_in_doubt(tmp_path: Path, write_picture: Write) -> None:
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / name)
    found = manifest(tmp_path, "a.png,P1,mass,MALIGNANT,400,100,20\nb.png,P2,mass,MALIGNANT,100,100,20\n")
    assert left_out(found) == [
        ("manifest.csv line 2", "an outline lies entirely outside the image of 320 x 512 pixels")
    ]
    assert [image.path.name for image in found.images] == ["b.png"]


def test_an_image_whose_lesion_lies_outside_its_pixels_is_not_prepared(tmp_path: Path, write_picture: Write) -> None:
    path = write_picture(tmp_path / "a.png")
    image = AnnotatedImage(path, "P", "films", lesions=(Lesion("mass", "malignant", box_outline(10, 600, 30, 650)),))
    with pytest.raises(TrainingError, match="entirely outside the image of 320 x 512 pixels"):
        prepare(image, paper_plan(Module.NODULE, "full", 1).recipe)


def test_the_share_of_an_outline_without_area_is_that_of_its_points() -> None:
    line = np.array([(50.0, 50.0), (150.0, 50.0), (250.0, 50.0), (350.0, 50.0)])
    assert share_inside(line, Window(100, 0, 200)) == 0.5
    eight = np.array([(10.0, 10.0), (30.0, 30.0), (30.0, 10.0), (10.0, 30.0)])
    assert share_inside(eight, Window(0, 0, 20)) == 0.25


def test_an_outline_of_three_points_is_one() -> None:
    assert polygon_area(polygon_outline([(0, 0), (4, 0), (0, 3)])) == 6
    with pytest.raises(ValueError, match="not finite"):
        polygon_outline([(0, 0), (4, 0), (0, float("inf"))])


def test_the_size_of_a_file_is_columns_and_rows(tmp_path: Path, write_picture: Write) -> None:
    mammogram(rows=256, columns=192).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert file_size(tmp_path / "a.dcm") == (192, 256)
    for name in ("a.png", "a.webp", "a.pgm", "a.tiff"):
        assert file_size(write_picture(tmp_path / name)) == (320, 512)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"b\.png is no image that can be read"):
        file_size(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("words", "pathology"),
    [
        ("malignant mass", "malignant"),
        ("non-malignant mass", "benign"),
        ("nonmalignant", "benign"),
        ("Not malignant", "benign"),
        ("no evidence of malignancy", "benign"),
        ("non-cancerous", "benign"),
        ("without signs of carcinoma", "benign"),
        ("non-invasive carcinoma", "malignant"),
        ("not malignant on the left, carcinoma on the right", "malignant"),
        ("cannot exclude cancer", "malignant"),
        ("benign mass", "benign"),
        ("not benign", "unknown"),
        ("mass", "unknown"),
    ],
)
def test_a_negation_is_heard(words: str, pathology: str) -> None:
    assert pathology_of(words) == pathology


def test_a_pathology_of_null_leaves_it_to_the_category(coco: Callable[..., Annotations]) -> None:
    first, _ = coco({"bbox": [10, 10, 20, 20], "pathology": None}).images
    assert first.lesions[0].pathology == "malignant"
