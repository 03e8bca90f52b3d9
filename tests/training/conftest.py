"""Small annotated data sets, made here."""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from phantoms.picture import Lesion, breast_picture, stored_values

ROWS, COLUMNS = 512, 320


@pytest.fixture
def write_picture() -> Callable[..., Path]:
    """Write a synthetic mammogram of 512 x 320, or narrower; the suffix of the name says the format."""

    def write(
        path: Path, seed: int = 0, lesions: tuple[Lesion, ...] = (), bits: int = 8, columns: int = COLUMNS
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = breast_picture(ROWS, columns, "L", "MLO", seed, lesions)
        assert cv2.imwrite(str(path), np.asarray(stored_values(picture, bits)))
        return path

    return write


@pytest.fixture
def films(tmp_path: Path, write_picture: Callable[..., Path]) -> Path:
    """a.png, b.png and c.png."""
    for number, name in enumerate("abc"):
        write_picture(tmp_path / f"{name}.png", number)
    return tmp_path


@pytest.fixture
def nodule_data(tmp_path: Path, write_picture: Callable[..., Path]) -> Path:
    """20 images of 20 patients, 10 of them with a malignant nodule, as a manifest."""
    return write_nodules(tmp_path / "films", 20, write_picture)


@pytest.fixture
def few_nodules(tmp_path: Path, write_picture: Callable[..., Path]) -> Path:
    """8 images of 8 patients, 4 of them with a malignant nodule, as a manifest."""
    return write_nodules(tmp_path / "films", 8, write_picture)


def write_nodules(folder: Path, count: int, write_picture: Callable[..., Path]) -> Path:
    """Every second image has a malignant nodule."""
    rows = []
    for number in range(count):
        malignant = number % 2 == 0
        x, y = 90 + 5 * (number % 5), 200 + 10 * (number % 7)
        lesions = (Lesion("nodule", x, y, 22),) if malignant else ()
        write_picture(folder / f"{number}.png", number, lesions, columns=224)
        rows.append(
            {
                "file": f"{number}.png",
                "patient_id": f"P{number}",
                "view": "MLO",
                "laterality": "L",
                "lesion_type": "mass" if malignant else "none",
                "pathology": "MALIGNANT" if malignant else "normal",
                "x": x if malignant else "",
                "y": y if malignant else "",
                "radius": 30 if malignant else "",
                "pixel_um": 400,
            }
        )
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder
