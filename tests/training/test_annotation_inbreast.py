"""INbreast: what its marks and categories mean, and which images they leave in doubt."""

import plistlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phantoms.mammogram import mammogram
from training.annotations import Annotations, box_outline, read_annotations

Read = Callable[..., Annotations]
TRIANGLE = ["(10.0, 20.0)", "(40.0, 20.0)", "(40.0, 60.0)"]


def region(name: str | None, *points: str) -> dict[str, Any]:
    marked = {"Point_px": list(points) or TRIANGLE}
    return marked if name is None else {"Name": name, **marked}


@pytest.fixture
def inbreast(tmp_path: Path) -> Read:
    """Read an image of this category with these regions, None for no XML, and a healthy one beside it."""

    def read(category: str, regions: list[dict[str, Any]] | None) -> Annotations:
        for folder in ("AllDICOMs", "AllXML"):
            (tmp_path / folder).mkdir()
        for name, patient in (("1", "aaa"), ("2", "bbb")):
            image = mammogram(rows=200, columns=160)
            image.save_as(tmp_path / "AllDICOMs" / f"{name}_{patient}_MG_L_CC_ANON.dcm", enforce_file_format=True)
        if regions is not None:
            content = {"Images": [{"ImageIndex": 0, "ROIs": regions}]}
            (tmp_path / "AllXML" / "1.xml").write_bytes(plistlib.dumps(content))
        (tmp_path / "INbreast.csv").write_text(
            f"Laterality;View;File Name;ACR;Bi-Rads\nL;CC;1;3;{category}\nL;CC;2;2;1\n"
        )
        return read_annotations([tmp_path])

    return read


def kinds(found: Annotations) -> list[tuple[str, str]]:
    return [(lesion.lesion_type, lesion.pathology) for lesion in found.images[0].lesions]


def reasons(found: Annotations) -> list[tuple[str, str]]:
    """Of what was left out; the healthy image is always kept."""
    assert found.images[-1].patient_id == "bbb"
    assert found.images[-1].healthy
    return [(row.where, row.reason) for row in found.unusable]


@pytest.mark.parametrize("category", ["2", "3", "4a", "6", "0"])
@pytest.mark.parametrize("regions", [None, []])
def test_a_category_above_1_with_nothing_marked_is_not_healthy(
    inbreast: Read, category: str, regions: list[dict[str, Any]] | None
) -> None:
    reason = f"nothing is marked, and its BI-RADS category is {category}: it may hold a lesion"
    assert reasons(inbreast(category, regions)) == [("INbreast.csv 1", reason)]


def test_without_a_category_nothing_is_healthy(inbreast: Read) -> None:
    reason = "nothing is marked, and its BI-RADS category is empty: it may hold a lesion"
    assert reasons(inbreast("", None)) == [("INbreast.csv 1", reason)]


def test_category_1_with_nothing_marked_is_healthy(inbreast: Read) -> None:
    found = inbreast("1", [region("Pectoral Muscle")])
    assert [image.healthy for image in found.images] == [True, True]
    assert found.unusable == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Assymetry", "asymmetry"),
        ("Asymmetry", "asymmetry"),
        ("Espiculated Region", "architectural_distortion"),
        ("Spiculated region", "architectural_distortion"),
        ("Distortion", "architectural_distortion"),
        ("Cluster", "calcification"),
        ("Calcifications", "calcification"),
        ("Mass", "mass"),
    ],
)
def test_every_published_name_is_known(inbreast: Read, name: str, kind: str) -> None:
    assert kinds(inbreast("5", [region(name)])) == [(kind, "malignant")]


@pytest.mark.parametrize("name", ["Unnamed", "Point 1", "Point 3", None])
def test_marks_without_a_findings_name_alone_leave_the_image_in_doubt(inbreast: Read, name: str | None) -> None:
    found = inbreast("2", [region(name, "(50.0, 50.0)")])
    reason = f"its marks have no name of a finding ({name or 'no name'}): what they are is unknown"
    assert reasons(found) == [("INbreast.csv 1", reason)]


def test_beside_a_named_one_they_are_places_of_which_nothing_is_known(inbreast: Read) -> None:
    found = inbreast("5", [region("Mass"), region("Unnamed", "(50.0, 50.0)")])
    assert kinds(found) == [("mass", "malignant"), ("other", "unknown")]
    outline = found.images[0].lesions[1].outline
    assert outline is not None
    assert outline.tolist() == box_outline(40, 40, 60, 60).tolist()


def test_a_calcification_of_one_point_is_a_small_square(inbreast: Read) -> None:
    found = inbreast("2", [region("Calcification", "(50.0, 50.0)", "(50.0, 50.0)", "(50.0, 50.0)")])
    assert kinds(found) == [("calcification", "benign")]
    outline = found.images[0].lesions[0].outline
    assert outline is not None
    assert outline.tolist() == box_outline(40, 40, 60, 60).tolist()


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (["(50.0, 50.0)"], "an outline has 1 point(s): it needs 3"),
        (
            ["(5.0, 5.0)", "(6.0, 6.0)", "(9.0, 9.0)"],
            "an outline has no area: its points lie on a line, or it crosses itself",
        ),
        (["(5.0, nan)", "(6.0, 6.0)", "(9.0, 7.0)"], "an outline is not finite"),
        (
            ["(5.0, 300.0)", "(6.0, 310.0)", "(9.0, 300.0)"],
            "an outline lies entirely outside the image of 160 x 200 pixels",
        ),
    ],
)
def test_an_outline_that_cannot_be_true_leaves_its_image_out(inbreast: Read, points: list[str], reason: str) -> None:
    assert reasons(inbreast("5", [region("Mass", *points)])) == [("INbreast.csv 1", reason)]


def test_a_broken_property_list_leaves_its_image_out(inbreast: Read, tmp_path: Path) -> None:
    inbreast("5", [region("Mass")])
    (tmp_path / "AllXML" / "1.xml").write_bytes(b"<?xml version='1.0'?><plist><dict>")
    assert [where for where, _ in reasons(read_annotations([tmp_path]))] == ["INbreast.csv 1"]
