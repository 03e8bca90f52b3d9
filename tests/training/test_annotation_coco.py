"""COCO files with records that cannot be used, and several of them in one folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phantoms.annotated import left_out, names
from training.annotations import read_annotations
from training.errors import AnnotationsError

Write = Callable[..., Path]


def coco(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps({"annotations": [], **content}))


def record(number: int, name: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "file_name": name, "patient_id": f"P{number}", **more}


def test_records_of_a_coco_file_that_are_none_are_named(films: Path) -> None:
    coco(
        films / "x.json",
        {
            "images": [record(0, "a.png"), record(1, 7), record(2, None), [1], "b.png", {"file_name": "b.png"}],
            "annotations": [["bbox"], None, {"id": 3, "image_id": [0]}, {"id": 4, "image_id": 1}],
            "categories": [3, {"id": 1, "name": "mass"}],
        },
    )
    found = read_annotations([films / "x.json"])
    assert names(found) == ["a.png"]
    assert left_out(found) == [
        ("image 1", "file_name 7 is no text"),
        ("image 2", "file_name None is no text"),
        ("image at position 3", "it is no object with an id"),
        ("image at position 4", "it is no object with an id"),
        ("image at position 5", "it is no object with an id"),
        ("annotation at position 0", "it is no object"),
        ("annotation at position 1", "it is no object"),
        ("annotation 3", "it names image [0], which the file lacks"),
    ]


def test_two_coco_images_of_one_id_are_neither(films: Path) -> None:
    images = [record(0, "a.png"), record(0, "b.png"), record(1, "c.png")]
    coco(films / "x.json", {"images": images, "annotations": [{"id": 1, "image_id": 0, "bbox": [1, 1, 5, 5]}]})
    found = read_annotations([films / "x.json"])
    assert names(found) == ["c.png"]
    assert [where for where, _ in left_out(found)] == ["image 0", "image 0"]


def test_an_annotation_of_an_unknown_category_leaves_its_image_out(films: Path) -> None:
    annotations = [{"id": 1, "image_id": 0, "category_id": 9, "bbox": [1, 1, 5, 5]}]
    coco(films / "x.json", {"images": [record(0, "a.png"), record(1, "b.png")], "annotations": annotations})
    found = read_annotations([films / "x.json"])
    assert names(found) == ["b.png"]
    assert left_out(found) == [("annotation 1", "it names category 9, which the file lacks")]


@pytest.mark.parametrize("content", [{"images": {}}, {"images": [], "annotations": 3}, {}])
def test_a_coco_file_without_lists_is_none(tmp_path: Path, content: dict[str, Any]) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"annotations": [], **content}))
    with pytest.raises(AnnotationsError, match=r"x\.json is no COCO file"):
        read_annotations([tmp_path / "x.json"])


def test_every_coco_file_of_a_folder_is_read_and_other_json_is_noted(films: Path) -> None:
    coco(films / "train.json", {"images": [record(0, "a.png")]})
    coco(films / "val.json", {"images": [record(0, "b.png"), record(1, "gone.png")]})
    (films / "config.json").write_text("{}")
    found = read_annotations([films])
    assert names(found) == ["a.png", "b.png"]
    assert left_out(found) == [("val.json image 1", "there is no file gone.png")]
    assert found.notes == ["config.json has no images and annotations as COCO has them, and was not read."]


def test_an_image_in_two_coco_files_has_the_lesions_of_both_once(films: Path) -> None:
    """A file a kind of lesion, or a file of everything beside its parts."""
    categories = [{"id": 1, "name": "malignant mass"}, {"id": 2, "name": "benign calcification"}]
    mass = {"id": 1, "image_id": 0, "category_id": 1, "bbox": [10, 10, 20, 20]}
    spots = {"id": 2, "image_id": 0, "category_id": 2, "bbox": [50, 50, 20, 20]}
    for name, annotations in (("mass", [mass]), ("spots", [spots]), ("all", [mass, spots])):
        content = {"images": [record(0, "a.png")], "annotations": annotations, "categories": categories}
        coco(films / f"{name}.json", content)
    (image,) = read_annotations([films]).images
    assert [(lesion.lesion_type, lesion.pathology) for lesion in image.lesions] == [
        ("mass", "malignant"),
        ("calcification", "benign"),
    ]


def test_an_image_in_doubt_in_one_coco_file_is_left_out_of_all(films: Path) -> None:
    coco(films / "a.json", {"images": [record(0, "a.png"), record(1, "b.png")]})
    coco(films / "b.json", {"images": [record(0, "a.png")], "annotations": [{"id": 1, "image_id": 0, "bbox": [1]}]})
    found = read_annotations([films])
    assert names(found) == ["b.png"]
    assert [where for where, _ in left_out(found)] == ["b.json annotation 1"]
