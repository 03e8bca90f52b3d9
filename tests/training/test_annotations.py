"""Every annotation format, read from a small file made here."""

import json
import plistlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from inference.results import Module
from phantoms.mammogram import four_views, mammogram
from phantoms.results import WRITTEN, case_result
from scp.objects.build import build
from scp.objects.inputs import ObjectOptions, Revision
from training.annotations import AnnotatedImage, Lesion, box_outline, lesions_digest, read_annotations
from training.errors import AnnotationsError
from training.images import read_image

Write = Callable[..., Path]


def one_lesion(lesions: tuple[Lesion, ...]) -> tuple[str, str, list[float]]:
    """Kind, pathology and box of the only lesion."""
    (lesion,) = lesions
    assert lesion.outline is not None
    box = [*lesion.outline.min(axis=0), *lesion.outline.max(axis=0)]
    return lesion.lesion_type, lesion.pathology, [round(float(edge), 3) for edge in box]


def test_manifest_with_circle_box_and_healthy(tmp_path: Path, write_picture: Write) -> None:
    for name in ("a.png", "b.webp", "c.pgm"):
        write_picture(tmp_path / name)
    (tmp_path / "manifest.csv").write_text(
        "file,patient_id,view,laterality,lesion_type,pathology,x,y,radius,x0,y0,x1,y1,width_over_height,pixel_um\n"
        "a.png,P1,MLO,LEFT,mass,MALIGNANT,100,120,20,,,,,,200\n"
        "b.webp,P2,cc,R,calcification,BENIGN_WITHOUT_CALLBACK,,,,10,20,40,60,0.6,\n"
        "c.pgm,P3,CC,R,none,normal,,,,,,,,,\n"
    )
    found = read_annotations([tmp_path])
    circle, box, healthy = found.images
    assert one_lesion(circle.lesions) == ("mass", "malignant", [80, 100, 120, 140])
    assert (circle.laterality, circle.pixel_um) == ("L", 200)
    assert one_lesion(box.lesions) == ("calcification", "benign", [10, 20, 40, 60])
    assert (box.width_over_height, box.view) == (0.6, "CC")
    assert healthy.healthy
    assert found.unusable == []


def test_manifest_lists_every_unusable_row_and_goes_on(tmp_path: Path, write_picture: Write) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "manifest.csv").write_text(
        "file,patient_id,lesion_type,pathology,x,y,radius\n"
        "a.png,P1,mass,MALIGNANT,100,120,20\n"
        "gone.png,P1,mass,MALIGNANT,100,120,20\n"
        "a.png,,mass,MALIGNANT,100,120,20\n"
        "a.png,P1,lump,MALIGNANT,100,120,20\n"
        "a.png,P1,mass,EVIL,100,120,20\n"
        "a.png,P1,mass,BENIGN,100,nan,20\n"
    )
    found = read_annotations([tmp_path])
    assert len(found.images) == 1
    assert [row.where for row in found.unusable] == [f"manifest.csv line {line}" for line in (3, 4, 5, 6, 7)]
    assert found.complaint.count("\n") == 5


def test_a_row_that_cannot_be_used_makes_its_image_neither_healthy_nor_its_place_a_control(
    tmp_path: Path, write_picture: Write
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        write_picture(tmp_path / name)
    (tmp_path / "manifest.csv").write_text(
        "file,patient_id,lesion_type,pathology,x,y,radius\n"
        "a.png,P1,mass,MALIGNANT,100,nan,20\n"
        "a.png,P1,none,NORMAL,,,\n"
        "b.png,P2,mass,BENIGN,100,120,20\n"
        "b.png,P2,mass,MALIGNANT,,,-1\n"
        "c.png,P3,none,NORMAL,,,\n"
    )
    first, second, third = read_annotations([tmp_path]).images
    assert (first.healthy, second.healthy, third.healthy) == (False, False, True)
    for image in (first, second):
        assert [lesion.outline for lesion in image.lesions if lesion.pathology == "unknown"] == [None, None]
        assert {lesion.module for lesion in image.lesions if lesion.pathology == "unknown"} == set(Module)


def test_the_digest_of_lesions_changes_with_their_place_and_pathology() -> None:
    image = AnnotatedImage(Path("a.png"), "P", "films")
    lesion = Lesion("mass", "malignant", box_outline(1, 2, 3, 4))
    found = {
        lesions_digest([replace(image, lesions=lesions)])
        for lesions in (
            (),
            (lesion,),
            (replace(lesion, pathology="benign"),),
            (replace(lesion, outline=box_outline(1, 2, 3, 5)),),
            (replace(lesion, outline=None),),
        )
    }
    assert len(found) == 5


def test_manifest_of_equal_squares_is_taken_as_stretched_and_says_so(tmp_path: Path) -> None:
    for number in range(2):
        cv2.imwrite(
            str(tmp_path / f"{number}.png"), np.random.default_rng(number).integers(0, 255, (80, 80), np.uint8)
        )
    (tmp_path / "manifest.csv").write_text(
        "file,patient_id,lesion_type,pathology\n0.png,P0,none,normal\n1.png,P1,none,normal\n"
    )
    found = read_annotations([tmp_path])
    assert {image.width_over_height for image in found.images} == {0.6}
    assert "80 x 80" in found.notes[0]
    assert {i.width_over_height for i in read_annotations([tmp_path], width_over_height=0.5).images} == {0.5}


def test_a_ratio_given_for_all_leaves_alone_what_states_its_pixel(tmp_path: Path, write_picture: Write) -> None:
    """Two sets in one command, one of them stretched: the other must not be squeezed."""
    for name in ("a.png", "b.png", "c.png"):
        write_picture(tmp_path / name)
    (tmp_path / "manifest.csv").write_text(
        "file,patient_id,lesion_type,pathology,width_over_height,pixel_um\n"
        "a.png,P1,none,normal,,200\nb.png,P2,none,normal,,\nc.png,P3,none,normal,0.7,\n"
    )
    found = read_annotations([tmp_path], width_over_height=0.5)
    assert [image.width_over_height for image in found.images] == [None, 0.5, 0.7]


def test_manifest_without_a_needed_column(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,lesion_type,pathology\n")
    with pytest.raises(AnnotationsError, match="patient_id"):
        read_annotations([tmp_path])


def test_coco_box_polygon_and_both_run_lengths(tmp_path: Path, write_picture: Write) -> None:
    for name in ("a.png", "b.png", "c.png", "d.png", "e.png"):
        write_picture(tmp_path / name)
    mask = np.zeros((512, 320), np.uint8, order="F")
    mask[100:130, 50:90] = 1
    compressed = coco_mask.encode(mask)
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]]))).tolist()
    counts = np.diff([0, *edges, flat.size]).tolist()
    images = [
        {"id": n, "file_name": f"{c}.png", "patient_id": f"P{n}", "height": 512, "width": 320}
        for n, c in enumerate("abcde")
    ]
    images.append({"id": 9, "file_name": "gone.png", "patient_id": "P9", "height": 1, "width": 1})
    annotations = [
        {"id": 1, "image_id": 0, "category_id": 1, "bbox": [50, 100, 40, 30]},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [[50, 100, 90, 100, 90, 130, 50, 130]]},
        {"id": 3, "image_id": 2, "category_id": 1, "segmentation": {"size": [512, 320], "counts": counts}},
        {
            "id": 4,
            "image_id": 3,
            "category_id": 2,
            "pathology": "benign",
            "segmentation": {"size": [512, 320], "counts": compressed["counts"].decode()},
        },
        {"id": 5, "image_id": 77, "category_id": 1, "bbox": [0, 0, 1, 1]},
    ]
    categories = [{"id": 1, "name": "malignant mass"}, {"id": 2, "name": "calcification"}]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    found = read_annotations([tmp_path])
    assert [one_lesion(image.lesions) for image in found.images if image.lesions] == [
        ("mass", "malignant", [50, 100, 90, 130]),
        ("mass", "malignant", [50, 100, 90, 130]),
        ("mass", "malignant", [50, 100, 90, 130]),
        ("calcification", "benign", [50, 100, 90, 130]),
    ]
    assert sum(image.healthy for image in found.images) == 1
    assert [row.where for row in found.unusable] == ["image 9", "annotation 5"]


def test_coco_image_with_a_broken_annotation_does_not_count_as_healthy(tmp_path: Path, write_picture: Write) -> None:
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png")
    images = [{"id": n, "file_name": f"{c}.png", "patient_id": c} for n, c in enumerate("ab")]
    content = {"images": images, "annotations": [{"id": 1, "image_id": 0, "bbox": [5, 5, 0, 3]}]}
    (tmp_path / "x.json").write_text(json.dumps(content))
    found = read_annotations([tmp_path / "x.json"])
    assert [image.path.name for image in found.images] == ["b.png"]


def test_inbreast(tmp_path: Path) -> None:
    (tmp_path / "AllDICOMs").mkdir()
    (tmp_path / "AllXML").mkdir()
    for name, patient in (("20586908", "aaa"), ("20586934", "bbb")):
        mammogram().save_as(tmp_path / "AllDICOMs" / f"{name}_{patient}_MG_L_CC_ANON.dcm", enforce_file_format=True)
    region = {"Name": "Mass", "Point_px": ["(10.0, 20.0)", "(40.0, 20.0)", "(40.0, 60.0)"]}
    content = {"Images": [{"ImageIndex": 0, "ROIs": [region]}]}
    (tmp_path / "AllXML" / "20586908.xml").write_bytes(plistlib.dumps(content))
    (tmp_path / "INbreast.csv").write_text(
        "Patient ID;Laterality;View;File Name;ACR;Bi-Rads\n"
        "removed;L;CC;20586908;3;4c\nremoved;L;MLO;20586934;2;1\nremoved;R;CC;77;2;1\n"
    )
    found = read_annotations([tmp_path])
    assert one_lesion(found.images[0].lesions) == ("mass", "malignant", [10, 20, 40, 60])
    assert (found.images[0].patient_id, found.images[0].density) == ("aaa", "3")
    assert found.images[1].healthy
    assert [row.where for row in found.unusable] == ["INbreast.csv 77"]


def secondary_capture(path: Path, pixels: np.ndarray) -> None:
    """A DICOM file as CBIS-DDSM publishes images, crops and masks."""
    ds = mammogram("L", "CC", rows=pixels.shape[0], columns=pixels.shape[1], bits=8)
    ds.PixelData = pixels.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def test_cbis_ddsm_from_tcia_finds_the_mask_by_its_size(tmp_path: Path) -> None:
    full = np.zeros((128, 96), np.uint8)
    mask = full.copy()
    mask[30:50, 20:60] = 255
    name = "Mass-Training_P_00001_LEFT_CC"
    secondary_capture(tmp_path / name / "1.2" / "1.3" / "1-1.dcm", full)
    # the published table swaps crop and mask in a part of its rows
    secondary_capture(tmp_path / f"{name}_1" / "1.4" / "1.5" / "1-1.dcm", mask)
    secondary_capture(tmp_path / f"{name}_1" / "1.4" / "1.5" / "1-2.dcm", np.full((64, 64), 9, np.uint8))
    (tmp_path / "mass_case_description_train_set.csv").write_text(
        "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass shape,"
        "mass margins,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path\n"
        f"P_00001,3,LEFT,CC,1,mass,OVAL,SPICULATED,4,MALIGNANT,4,{name}/1.2/1.3/000000.dcm,"
        f'{name}_1/1.4/1.5/000000.dcm,"{name}_1/1.4/1.5/000001.dcm\n"\n'
        f"P_00002,3,LEFT,CC,1,mass,OVAL,SPICULATED,4,BENIGN,4,gone/1/1/0.dcm,gone/1/1/0.dcm,gone/1/1/0.dcm\n"
    )
    found = read_annotations([tmp_path])
    (image,) = found.images
    assert one_lesion(image.lesions) == ("mass", "malignant", [20, 30, 60, 50])
    assert (image.patient_id, image.laterality, image.view, image.density) == ("P_00001", "L", "CC", "3")
    assert len(found.unusable) == 1


def node_objects(views: Sequence[Dataset], kind: str) -> list[Dataset]:
    """What our node writes for a study with five marks."""
    sources = {view.SOPInstanceUID: view for view in views}
    options = ObjectOptions(kinds=frozenset({kind}))
    objects = build(case_result("many", views), sources, options, Revision(1, WRITTEN))
    return [made.dataset for made in objects]


@pytest.fixture
def study(tmp_path: Path) -> list[Dataset]:
    """R CC, L CC, R MLO, L MLO, written as 0.dcm to 3.dcm."""
    views = four_views(rows=200, columns=160)
    for number, view in enumerate(views):
        view.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    return views


def test_report_of_our_node_as_a_reader_corrected_it(tmp_path: Path, study: list[Dataset]) -> None:
    (report,) = node_objects(study, "tid1500")
    measurements = next(item for item in report.ContentSequence if "ContentSequence" in item and _groups(item))
    groups = _groups(measurements)
    first, rejected = groups[0], groups[1]
    measurements.ContentSequence.remove(rejected)
    assessment = next(item for item in first.ContentSequence if _name(item) == "111005")
    assessment.ConceptCodeSequence[0].CodeMeaning = "2 - Benign"
    graded = [item for item in first.ContentSequence if item.ValueType == "CODE" and "Grade 6" in _meaning(item)]
    for item in graded:
        first.ContentSequence.remove(item)
    report.save_as(tmp_path / "sr.dcm", enforce_file_format=True)
    found = read_annotations([tmp_path])
    assert [len(image.lesions) for image in found.images] == [2, 1, 1, 0]
    right_cc, left_cc, right_mlo, _ = found.images
    assert {(lesion.lesion_type, lesion.pathology) for lesion in right_cc.lesions} == {
        ("mass", "benign"),
        ("calcification", "malignant"),
    }
    assert one_lesion(left_cc.lesions) == ("calcification", "malignant", [35, 75, 65, 105])
    assert one_lesion(right_mlo.lesions) == ("mass", "malignant", [46, 70, 86, 110])
    assert (left_cc.view, left_cc.laterality) == ("CC", "L")


def test_a_report_that_another_one_replaces_is_not_read_and_a_computers_alone_is_noted(
    tmp_path: Path, study: list[Dataset]
) -> None:
    (first,) = node_objects(study, "tid1500")
    second = deepcopy(first)
    second.SOPInstanceUID = second.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    measurements = next(item for item in second.ContentSequence if "ContentSequence" in item and _groups(item))
    for group in _groups(measurements):
        measurements.ContentSequence.remove(group)
    reference, series, replaced = Dataset(), Dataset(), Dataset()
    replaced.ReferencedSOPClassUID, replaced.ReferencedSOPInstanceUID = first.SOPClassUID, first.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = first.SeriesInstanceUID, [replaced]
    reference.StudyInstanceUID, reference.ReferencedSeriesSequence = first.StudyInstanceUID, [series]
    second.PredecessorDocumentsSequence = [reference]
    for number, report in enumerate((first, second)):
        report.save_as(tmp_path / f"sr{number}.dcm", enforce_file_format=True)
    found = read_annotations([tmp_path])
    assert [len(image.lesions) for image in found.images] == [0, 0, 0, 0]
    assert [note.split(". ")[0] for note in found.notes] == [
        "1 report(s) are a computer's, and no reader has verified them"
    ]


def test_segmentations_of_our_node(tmp_path: Path, study: list[Dataset]) -> None:
    for number, segmentation in enumerate(node_objects(study, "seg")):
        segmentation.save_as(tmp_path / f"seg{number}.dcm", enforce_file_format=True)
    found = read_annotations([tmp_path])
    assert [len(image.lesions) for image in found.images] == [3, 1, 1]
    kind, pathology, box = one_lesion(found.images[1].lesions)
    assert (kind, pathology) == ("calcification", "malignant")
    assert np.allclose(box, [35, 75, 65, 105], atol=1)
    assert [row.where for row in found.unusable] == ["3.dcm"]  # nobody said that it is healthy


def _groups(item: Dataset) -> list[Dataset]:
    return [child for child in item.ContentSequence if _name(child) == "125007"]


def _name(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return names[0].CodeValue if names else ""


def _meaning(item: Dataset) -> str:
    return item.ConceptCodeSequence[0].CodeMeaning


def test_a_folder_of_nothing_known(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(AnnotationsError, match="no known format"):
        read_annotations([tmp_path])
    with pytest.raises(AnnotationsError, match="There is no"):
        read_annotations([tmp_path / "gone"])


def test_nothing_usable_is_an_error_that_lists_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,patient_id,lesion_type,pathology\ngone.png,P1,none,normal\n")
    with pytest.raises(AnnotationsError, match=r"gone\.png"):
        read_annotations([tmp_path])


def test_a_dicom_image_is_read_as_inference_reads_it(tmp_path: Path) -> None:
    mammogram(rows=256, columns=192).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read_image(tmp_path / "a.dcm").values.shape == (256, 192)
