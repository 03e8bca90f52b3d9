"""One lesion seen in both views of a breast.

A lesion keeps about the same distance from the nipple in CC and MLO (Paquerault et al., Med. Phys. 29, 2002: the
annular search of readers and of two-view CAD). Linked is only what can be confused with nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import dist

import numpy as np
from numpy.typing import NDArray

from inference.breast import chest_wall_side
from inference.geometry import Affine
from inference.results import Finding, ImageResult, Module, Point

TOLERANCE = 0.1
"""Of the nipple's distance from the chest wall (some 8 to 10 mm): by so much may the two distances differ."""


@dataclass(frozen=True)
class Landmarks:
    """The nipple in stored pixels, and its distance from the image's chest-wall edge in the same."""

    nipple: Point
    depth: float


def find_landmarks(breast: NDArray[np.bool_], to_stored: Affine) -> Landmarks | None:
    """The breast's farthest point from the chest wall, or None where its side is not clear.

    `breast` says which normalised pixels are breast, (rows, columns).
    """
    side = chest_wall_side(breast)
    if side is None:
        return None
    columns = np.flatnonzero(breast.any(axis=0))
    tip, wall = (columns[-1] + 1, columns[0]) if side == "left" else (columns[0], columns[-1] + 1)
    depth = abs(int(tip) - int(wall))
    around = max(1, depth // 100)
    band = slice(tip - around, tip) if side == "left" else slice(tip, tip + around)
    row = float(np.nonzero(breast[:, band])[0].mean()) + 0.5
    (x, y), (edge, _) = to_stored.apply([(tip, row), (wall, row)])
    return Landmarks((float(x), float(y)), abs(float(x) - float(edge)))


def link_views(images: Sequence[ImageResult], landmarks: Mapping[str, Landmarks]) -> tuple[ImageResult, ...]:
    """The images with `linked` set on findings of one module that pair off, one in CC and one in MLO of a breast.

    `landmarks` by SOP Instance UID. A breast with two images of a view, or without landmarks, is left as it is.
    """
    pairs: dict[str, str] = {}
    for side in ("R", "L"):
        views = {view: [i for i in images if (i.laterality, i.view) == (side, view)] for view in ("CC", "MLO")}
        if all(len(of_view) == 1 for of_view in views.values()):
            pairs |= _pairs(views["CC"][0], views["MLO"][0], landmarks)
    return tuple(_linked(image, pairs) for image in images)


def _pairs(cc: ImageResult, mlo: ImageResult, landmarks: Mapping[str, Landmarks]) -> dict[str, str]:
    """Tracking UIDs that name each other."""
    cc_marks, mlo_marks = landmarks.get(cc.sop_instance_uid), landmarks.get(mlo.sop_instance_uid)
    units = _common_units(cc, mlo)
    if cc_marks is None or mlo_marks is None or units is None:
        return {}
    tolerance = TOLERANCE * cc_marks.depth * units[0]
    pairs: dict[str, str] = {}
    for module in Module:
        in_cc = {f.tracking_uid: dist(f.center, cc_marks.nipple) * units[0] for f in _of(cc, module)}
        in_mlo = {f.tracking_uid: dist(f.center, mlo_marks.nipple) * units[1] for f in _of(mlo, module)}
        close = [(a, b) for a in in_cc for b in in_mlo if abs(in_cc[a] - in_mlo[b]) <= tolerance]
        for a, b in close:
            if sum(a in pair or b in pair for pair in close) == 1:
                pairs |= {a: b, b: a}
    return pairs


def _of(image: ImageResult, module: Module) -> list[Finding]:
    return [finding for finding in image.findings if finding.module is module]


def _common_units(first: ImageResult, second: ImageResult) -> tuple[float, float] | None:
    """What a stored pixel of each image measures; 1 and 1 where neither says and both have the same height."""
    if first.pixel_spacing and second.pixel_spacing:
        return first.pixel_spacing[0], second.pixel_spacing[0]
    same_unknown = first.pixel_spacing is second.pixel_spacing is None and first.rows == second.rows
    return (1.0, 1.0) if same_unknown else None


def _linked(image: ImageResult, pairs: Mapping[str, str]) -> ImageResult:
    modules = tuple(
        module.model_copy(
            update={
                "findings": tuple(
                    finding.model_copy(update={"linked": (pairs[finding.tracking_uid],)})
                    if finding.tracking_uid in pairs
                    else finding
                    for finding in module.findings
                )
            }
        )
        for module in image.modules
    )
    return image.model_copy(update={"modules": modules})
