"""COCO JSON: boxes, polygons, and run-length masks (compressed or not).

Beyond COCO: an image may carry patient_id, view, laterality, density, width_over_height, pixel_um; an annotation
pathology, else its category's name says it ('malignant mass').
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.annotations import AnnotatedImage, Annotations, ImageCollector, Lesion, Pathology, box_outline
from training.errors import AnnotationsError
from training.words import lesion_type_of, pathology_of


def read_coco(path: Path) -> Annotations:
    """Read a COCO file; images are relative to its folder. Raises AnnotationsError: it is no COCO file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        records = {record["id"]: record for record in content["images"]}
        categories = {category["id"]: str(category["name"]) for category in content.get("categories", [])}
        annotations = content["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnotationsError(f"{path} is no COCO file: {error!r}.") from error
    found, images = Annotations(), ImageCollector()
    usable: dict[Any, AnnotatedImage] = {}
    for identity, record in records.items():
        try:
            usable[identity] = _image(path.parent, record)
        except (ValueError, KeyError) as error:
            found.reject(f"image {identity}", str(error))
    lesions = [(annotation.get("image_id"), annotation) for annotation in annotations]
    for identity, annotation in lesions:
        where = f"annotation {annotation.get('id')}"
        if identity not in records:
            found.reject(where, f"it names image {identity}, which the file lacks")
        if identity not in usable:
            continue
        try:
            images.add(usable[identity], _lesion(annotation, categories, records[identity]))
        except (ValueError, KeyError, TypeError) as error:
            found.reject(where, str(error))
            usable.pop(identity)  # with a lesion missing the image must not count as healthy
    for image in usable.values():
        images.add(image)
    kept = {image.path for image in usable.values()}
    found.images = [image for image in images.images() if image.path in kept]
    return found


def _image(folder: Path, record: dict[str, Any]) -> AnnotatedImage:
    path = (folder / record["file_name"]).resolve()
    if not path.is_file():
        path = (folder / "images" / record["file_name"]).resolve()
    if not path.is_file():
        raise ValueError(f"there is no file {record['file_name']}")
    if not record.get("patient_id"):
        raise ValueError("the image has no patient_id: without it a patient can end on both sides of a split")
    return AnnotatedImage(
        path=path,
        patient_id=str(record["patient_id"]),
        dataset=folder.name,
        view=str(record.get("view", "")).upper(),
        laterality=str(record.get("laterality", ""))[:1].upper(),
        density=str(record.get("density", "")),
        width_over_height=record.get("width_over_height"),
        pixel_um=record.get("pixel_um"),
    )


def _lesion(annotation: dict[str, Any], categories: dict[Any, str], record: dict[str, Any]) -> Lesion:
    name = categories.get(annotation.get("category_id"), "")
    pathology: Pathology = pathology_of(str(annotation.get("pathology", name)))
    return Lesion(lesion_type_of(name), pathology, _outline(annotation, record))


def _outline(annotation: dict[str, Any], record: dict[str, Any]) -> NDArray[np.float64] | None:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, list) and segmentation:
        points = np.concatenate([np.asarray(part, dtype=float).reshape(-1, 2) for part in segmentation])
        return points if len(segmentation) == 1 else hull(points)
    if isinstance(segmentation, dict):
        return mask_outline(_decode(segmentation, record))
    if annotation.get("bbox"):
        x, y, width, height = (float(value) for value in annotation["bbox"])
        return box_outline(x, y, x + width, y + height)
    return None


def _decode(segmentation: dict[str, Any], record: dict[str, Any]) -> NDArray[np.uint8]:
    """Run lengths, down the columns, background first. Raises ValueError: they do not fill the image."""
    counts = segmentation["counts"]
    lengths = _run_lengths(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    rows, columns = segmentation.get("size") or (record["height"], record["width"])
    if lengths.size == 0 or lengths.min() < 0 or lengths.sum() != rows * columns:
        raise ValueError(f"the run lengths do not fill {rows} x {columns} pixels")
    values = np.arange(lengths.size) % 2
    return np.repeat(values, lengths).reshape((rows, columns), order="F").astype(np.uint8)


def _run_lengths(encoded: str) -> NDArray[np.int64]:
    """COCO's compressed counts: 5 bits a character from '0' on, bit 6 says that more follow, the highest bit is
    the sign; from the third on each is the difference to the last but one (maskApi.c, rleFrString)."""
    lengths: list[int] = []
    value = shift = 0
    for character in encoded:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    return np.array(lengths, np.int64)


def hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) points to the (m, 2) convex polygon around them."""
    convex: NDArray[np.float64] = cv2.convexHull(points.astype(np.float32))[:, 0].astype(float)
    return convex


def mask_outline(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(rows, columns) mask to one polygon: its outline, or the hull of its parts. Raises ValueError: it is empty.

    Polygon points are pixel corners: the right and bottom edge of a pixel lie one beyond its index.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise ValueError("the mask is empty")
    corners = np.stack([columns, rows], axis=1)[:, None] + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    return hull(corners.reshape(-1, 2).astype(float))
