"""A picture of an analysed image with its lesions outlined: people look before they read."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.pixels import read_grey
from inference.results import Finding, ImageResult, Module

_HEIGHT = 1400
_COLOUR = {Module.NODULE: (40, 200, 255), Module.MICROCALCIFICATION: (255, 200, 60)}  # BGR
LEGEND = "AI marks, unverified. Research use, not a diagnosis."


def write_picture(image: ImageResult, folder: Path, memory: int) -> Path:
    """Write <laterality><view>-<last part of the SOP Instance UID>.png and return its path."""
    grey = read_grey(Path(image.file), memory=memory).values
    name = f"{image.laterality or ''}{image.view or 'image'}-{image.sop_instance_uid.rsplit('.', 1)[-1][-8:]}.png"
    picture = draw(grey, image.findings)
    path = folder / name
    if not cv2.imwrite(str(path), picture):
        raise OSError(f"{path} could not be written; see to the folder's rights and space")
    return path


def draw(grey: NDArray[np.uint8], findings: tuple[Finding, ...]) -> NDArray[np.uint8]:
    """Outlines and labels over an image of (rows, columns) stored pixels; returns (_HEIGHT, w, 3), BGR."""
    scale = _HEIGHT / grey.shape[0]
    width = max(1, round(grey.shape[1] * scale))
    small = cv2.resize(grey, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
    picture = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    for finding in findings:
        colour = _COLOUR[finding.module]
        outline = np.round(np.asarray(finding.outline) * scale).astype(np.int32)
        cv2.polylines(picture, [outline], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
        label = f"{finding.module.value} {finding.score:.2f} grade {finding.grade}"
        _text(picture, label, (int(finding.box[0] * scale), int(finding.box[1] * scale) - 8), colour)
    _text(picture, LEGEND, (10, _HEIGHT - 12), (255, 255, 255))
    return np.asarray(picture, dtype=np.uint8)


def _text(picture: NDArray[np.uint8], text: str, origin: tuple[int, int], colour: tuple[int, int, int]) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    x = int(np.clip(origin[0], 0, max(0, picture.shape[1] - width)))
    y = int(np.clip(origin[1], height, picture.shape[0] - 4))
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA)
