"""The header's laterality against the pixels: which side the chest wall is on."""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.breast import chest_wall_side
from inference.header import values
from inference.results import Reason
from inference.view import read_laterality

_DISAGREEMENT = Reason(
    code="laterality-disagrees",
    text="The laterality in the header does not fit the pixels (chest wall side and Patient Orientation).",
    remedy="Check the side marker in the image; correct the laterality at the modality if it is wrong.",
)


def laterality_note(ds: Dataset, breast: NDArray[np.bool_]) -> Reason | None:
    """A warning where header and pixels disagree, None where they agree or cannot be compared.

    Patient Orientation (PS3.3 C.7.6.1.1.1) names where rows and columns run to. Rows that run to A(nterior) begin
    at the chest wall, which is then on the left; those that run to P(osterior) end at it. The lateral side is shown
    upwards, so columns run to the other breast: to R for a left breast. FieldOfViewHorizontalFlip and -Rotation
    say what was done before and change nothing.
    """
    laterality = read_laterality(ds)
    orientation = values(ds, "PatientOrientation")
    side = chest_wall_side(breast)
    if laterality is None or side is None or len(orientation) != 2:
        return None
    row, column = orientation
    along_row = row[:1]
    if along_row not in ("A", "P"):
        return None
    expected_side = "left" if along_row == "A" else "right"
    across = {letter for letter in column if letter in "LR"}
    expected_across = {"R" if laterality == "L" else "L"}
    agrees = side == expected_side and (not across or across == expected_across)
    return None if agrees else _DISAGREEMENT
