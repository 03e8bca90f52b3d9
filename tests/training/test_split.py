"""Splits by patient, and the leak check."""

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from inference.results import Module
from training.annotations import AnnotatedImage, Lesion, circle_outline
from training.errors import LeakError, TooFewError
from training.leaks import check_images, check_split, fingerprint
from training.split import Split, assign_folds, patient_key, split_fold, split_once

MALIGNANT = Lesion("mass", "malignant", circle_outline(5, 5, 2))


def images(malignant: int, healthy: int, each: int = 2) -> list[AnnotatedImage]:
    return [
        AnnotatedImage(Path(f"{patient}-{view}.png"), f"P{patient}", "set", lesions=lesions)
        for patient in range(malignant + healthy)
        for view in range(each)
        for lesions in [(MALIGNANT,) if patient < malignant else ()]
    ]


def test_one_fifth_of_the_patients_of_each_class_is_test() -> None:
    split = split_once(images(25, 50), Module.NODULE, seed=3)
    malignant = {i.patient_id for i in split.test if i.lesions}
    healthy = {i.patient_id for i in split.test if not i.lesions}
    assert (len(malignant), len(healthy)) == (5, 10)
    assert len(split.test) == 30
    assert not {patient_key(i) for i in split.train} & {patient_key(i) for i in split.test}


def test_folds_cover_every_patient_once_and_follow_the_seed() -> None:
    data = images(7, 9)
    folds = assign_folds(data, Module.NODULE, 3, seed=1)
    tested = [patient_key(i) for fold in range(3) for i in split_fold(data, folds, fold).test]
    assert sorted(tested) == sorted(patient_key(i) for i in data)
    assert folds == assign_folds(data, Module.NODULE, 3, seed=1)
    assert folds != assign_folds(data, Module.NODULE, 3, seed=2)


def test_too_few_patients_and_one_class_say_what_is_missing() -> None:
    with pytest.raises(TooFewError, match="2 patients have a malignant nodule and 9 have none"):
        assign_folds(images(2, 9), Module.NODULE, 5, seed=1)
    with pytest.raises(TooFewError, match="0 patients have a malignant microcalcification"):
        assign_folds(images(5, 5), Module.MICROCALCIFICATION, 2, seed=1)


def test_a_patient_on_both_sides_fails() -> None:
    first, second = images(1, 0)
    with pytest.raises(LeakError, match="1 patient"):
        check_split(Split((first,), (second,)), {})


@pytest.mark.parametrize("copy", ["jpeg", "brighter"])
def test_a_planted_copy_under_another_name_and_patient_fails(
    tmp_path: Path, write_picture: Callable[..., Path], copy: str
) -> None:
    data = [
        AnnotatedImage(write_picture(tmp_path / f"{number}.png", number), f"P{number}", "set") for number in range(6)
    ]
    original = cv2.imread(str(data[0].path), cv2.IMREAD_GRAYSCALE)
    planted = tmp_path / ("copy.jpg" if copy == "jpeg" else "copy.png")
    cv2.imwrite(str(planted), original if copy == "jpeg" else cv2.convertScaleAbs(original, alpha=0.8, beta=10))
    twin = AnnotatedImage(planted, "P99", "set")
    fingerprints = check_images(data, lambda done, total: None)
    check_split(Split(tuple(data[:3]), tuple(data[3:])), fingerprints)
    fingerprints[planted] = fingerprint(planted)
    with pytest.raises(LeakError, match=r"0\.png = copy"):
        check_split(Split(tuple(data), (twin,)), fingerprints)
    with pytest.raises(LeakError, match="two patients"):
        check_images([*data, twin], lambda done, total: None)
