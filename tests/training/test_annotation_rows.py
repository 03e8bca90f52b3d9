"""Ordinary bad tables: each row that cannot be used is named with its reason, and the rest goes on."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.results import Module
from phantoms.annotated import left_out, names
from phantoms.mammogram import mammogram
from training.annotations import Annotations, read_annotations
from training.errors import AnnotationsError

Write = Callable[..., Path]
HEADER = "file,patient_id,lesion_type,pathology,x,y,radius,x0,y0,x1,y1\n"


def manifest(folder: Path, rows: str, header: str = HEADER) -> Annotations:
    (folder / "manifest.csv").write_text(header + rows)
    return read_annotations([folder])


def test_a_row_that_ends_early_does_not_become_healthy(films: Path) -> None:
    found = manifest(films, "a.png,P1\nb.png,P2,none\nc.png,P3,none,normal\n")
    assert names(found) == ["c.png"]
    assert left_out(found) == [
        ("manifest.csv line 2", "the row ends before lesion_type"),
        ("manifest.csv line 3", "the row ends before pathology"),
    ]


def test_optional_columns_may_be_missing_at_a_rows_end(films: Path) -> None:
    found = manifest(films, "a.png,P1,mass,MALIGNANT,100,120,20\nb.png,P2,mass,BENIGN\n")
    assert [[lesion.outline is None for lesion in image.lesions] for image in found.images] == [[False], [True]]
    assert found.unusable == []


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_another_encoding_says_how_to_save_it(films: Path, encoding: str) -> None:
    (films / "manifest.csv").write_bytes(f"{HEADER}a.png,Müller,none,normal,,,,,,,\n".encode(encoding))
    with pytest.raises(AnnotationsError, match=r"manifest\.csv is not in UTF-8: save it as 'CSV UTF-8'"):
        read_annotations([films])


def test_a_mark_at_the_start_of_a_table_is_no_part_of_it(films: Path) -> None:
    (films / "manifest.csv").write_text(f"{HEADER}a.png,Müller,none,normal,,,,,,,\n", encoding="utf-8-sig")
    assert read_annotations([films]).images[0].patient_id == "Müller"


def test_an_image_that_cannot_be_read_is_named_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no picture")
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((80, 80), np.uint8))
    rows = "".join(f"{number}.png,P{number},none,normal\n" for number in range(3))
    found = manifest(tmp_path, rows, "file,patient_id,lesion_type,pathology\n")
    assert left_out(found) == [
        (
            "manifest.csv line 2",
            "0.png is no image that can be read: use DICOM, PNG, TIFF, PGM, WebP or JPEG",
        )
    ]
    assert [(image.path.name, image.width_over_height) for image in found.images] == [("1.png", 0.6), ("2.png", 0.6)]


def test_a_file_of_two_patients_is_of_neither(films: Path) -> None:
    found = manifest(
        films,
        "a.png,P1,none,normal\na.png,P2,mass,MALIGNANT,100,120,20\nb.png,P2,none,normal\nb.png,P2,none,normal\n",
    )
    assert names(found) == ["b.png"]
    assert left_out(found) == [
        ("manifest.csv line 2", "a.png is said to be of 2 patients"),
        ("manifest.csv line 3", "a.png is said to be of 2 patients"),
    ]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("100,120,,,,,", "x, y given without radius: the lesion's place is incomplete"),
        (",,20,,,,", "radius given without x, y: the lesion's place is incomplete"),
        (",,,10,20,30,", "x0, y0, x1 given without y1: the lesion's place is incomplete"),
        ("100,120", "x, y given without radius: the lesion's place is incomplete"),
        ("100,12o,20,,,,", "y 12o is no number"),
    ],
)
def test_an_incomplete_place_puts_its_image_in_doubt(films: Path, place: str, reason: str) -> None:
    found = manifest(films, f"a.png,P1,mass,MALIGNANT,{place}\na.png,P1,none,normal\nb.png,P2,none,normal\n")
    assert left_out(found) == [("manifest.csv line 2", reason)]
    doubtful, healthy = found.images
    assert [(lesion.module, lesion.pathology, lesion.outline) for lesion in doubtful.lesions] == [
        (Module.NODULE, "unknown", None),
        (Module.MICROCALCIFICATION, "unknown", None),
    ]
    assert healthy.healthy


def test_a_file_name_that_no_file_can_have_is_a_reason_too(films: Path) -> None:
    found = manifest(films, f"{'a' * 300}.png,P1,none,normal\nb.png,P2,none,normal\n")
    assert names(found) == ["b.png"]
    assert [where for where, _ in left_out(found)] == ["manifest.csv line 2"]


CASES = "mass_case_description_train_set.csv"
COLUMNS = (
    "patient_id,left or right breast,image view,abnormality type,pathology,image file path,cropped image file path,"
    "ROI mask file path\n"
)


def capture(path: Path, pixels: np.ndarray | None) -> None:
    ds = mammogram("L", "CC", rows=128, columns=96, bits=8)
    if pixels is None:
        del ds.PixelData
    else:
        ds.PixelData = pixels.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


@pytest.fixture
def ddsm(tmp_path: Path) -> Path:
    """Two images; the first has two masks, of which the second has no pixels."""
    mask = np.zeros((128, 96))
    mask[30:50, 20:60] = 255
    for series in ("one", "two"):
        capture(tmp_path / series / "1.dcm", np.zeros((128, 96)))
    capture(tmp_path / "mask" / "1.dcm", mask)
    capture(tmp_path / "bare" / "1.dcm", None)
    return tmp_path


def cases(folder: Path, *rows: str) -> Annotations:
    (folder / CASES).write_text(COLUMNS + "".join(f"{row}\n" for row in rows))
    return read_annotations([folder])


def lesion_pathologies(found: Annotations) -> list[list[str]]:
    return [[lesion.pathology for lesion in image.lesions] for image in found.images]


ONE = "P1,LEFT,CC,mass,MALIGNANT,one/1.dcm,mask/1.dcm,mask/1.dcm"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("P1,LEFT,CC,mass,BENIGN,one/1.dcm,,", "cropped image file path, ROI mask file path is empty"),
        ("P1,LEFT,CC,mass,BENIGN,,mask/1.dcm,mask/1.dcm", "image file path is empty"),
        ("P1,LEFT,CC,mass", "pathology, image file path, cropped image file path, ROI mask file path is empty"),
        ("P1,LEFT,CC,mass,BENIGN,one/1.dcm,bare/1.dcm,bare/1.dcm", "the mask has no pixels: 1.dcm"),
        ("P1,LEFT,CC,mass,EVIL,one/1.dcm,mask/1.dcm,mask/1.dcm", "pathology EVIL is none of MALIGNANT, BENIGN, "),
    ],
)
def test_a_row_of_cbis_ddsm_that_cannot_be_used_puts_its_image_in_doubt(ddsm: Path, row: str, reason: str) -> None:
    found = cases(ddsm, ONE, row, "P2,LEFT,CC,mass,BENIGN,two/1.dcm,mask/1.dcm,mask/1.dcm")
    ((where, said),) = left_out(found)
    assert where == f"{CASES} line 3"
    assert said.startswith(reason)
    assert lesion_pathologies(found) == [["malignant", "unknown", "unknown"], ["benign"]]
