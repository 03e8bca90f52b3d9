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
    """Write a synthetic mammogram of 512 x 320; the suffix of the name says the format."""

    def write(path: Path, seed: int = 0, lesions: tuple[Lesion, ...] = (), bits: int = 8) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = breast_picture(ROWS, COLUMNS, "L", "MLO", seed, lesions)
        assert cv2.imwrite(str(path), np.asarray(stored_values(picture, bits)))
        return path

    return write


@pytest.fixture
def nodule_data(tmp_path: Path, write_picture: Callable[..., Path]) -> Path:
    """20 images of 20 patients, 10 of them with a malignant nodule, as a manifest."""
    folder = tmp_path / "films"
    rows = []
    for number in range(20):
        malignant = number % 2 == 0
        x, y = 90 + 5 * (number % 5), 200 + 10 * (number % 7)
        write_picture(folder / f"{number}.png", number, (Lesion("nodule", x, y, 22),) if malignant else ())
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
