"""COCO JSON: boxes, polygons, and run-length masks (compressed or not).

Beyond COCO: an image may carry patient_id, view, laterality, density, width_over_height, pixel_um; an annotation
pathology, else its category's name says it ('malignant mass').
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from training.annotations import AnnotatedImage, Annotations, Lesion
from training.coco_masks import annotation_outline
from training.collector import ImageCollector
from training.errors import AnnotationsError
from training.stated import file_size, stated_pixel, stated_ratio
from training.words import lesion_type_of, pathology_of

Content = dict[str, list[Any]]
Identity = int | str


def read_coco(*paths: Path) -> Annotations:
    """Read COCO files as one source (a file a part, or a kind of lesion); images are relative to each file's folder.

    Raises AnnotationsError: one is no COCO file.
    """
    found, images = Annotations(), ImageCollector()
    left_out: set[Path] = set()
    for path in paths:
        _File(path, f"{path.name} " if len(paths) > 1 else "", found, images, left_out).read()
    # with a lesion missing an image must not count as healthy, whatever other files say of it
    found.images = [_once(image) for image in images.images(found) if image.path not in left_out]
    return found


class _File:
    """One COCO file, read into what all of them hold."""

    def __init__(
        self, path: Path, prefix: str, found: Annotations, images: ImageCollector, left_out: set[Path]
    ) -> None:
        self._folder = path.parent
        self._prefix = prefix
        self._found = found
        self._images = images
        self._left_out = left_out
        self._content = _content(path)
        self._records: set[Identity] = set()
        self._usable: dict[Identity, AnnotatedImage] = {}
        self._sizes: dict[Path, tuple[int, int]] = {}
        self._categories: dict[Any, str] = {
            category["id"]: str(category.get("name") or "")
            for category in self._content["categories"]
            if _identity(category) is not None
        }

    def read(self) -> None:
        """Every image, then every annotation."""
        counts = Counter(_identity(record) for record in self._content["images"])
        for position, record in enumerate(self._content["images"]):
            self._image(position, record, counts)
        for position, annotation in enumerate(self._content["annotations"]):
            self._annotation(position, annotation)

    def _image(self, position: int, record: Any, counts: Counter[Identity | None]) -> None:
        identity = _identity(record)
        if identity is None:
            self._reject(f"image at position {position}", "it is no object with an id")
            return
        self._records.add(identity)
        where = f"image {identity}"
        path: Path | None = None
        try:
            path = _path(self._folder, record)
            _check_alone(counts[identity])
            self._sizes[path] = _checked_size(path, record)
            image = _annotated(self._folder, path, record)
        except (ValueError, OSError) as error:
            self._reject(where, str(error))
            self._left_out |= {path} if path is not None else set()
            return
        self._usable[identity] = image
        self._images.add(f"{self._prefix}{where}", image)

    def _annotation(self, position: int, annotation: Any) -> None:
        if not isinstance(annotation, dict):
            self._reject(f"annotation at position {position}", "it is no object")
            return
        identity, where = annotation.get("image_id"), f"annotation {annotation.get('id')}"
        if not isinstance(identity, int | str) or identity not in self._records:
            self._reject(where, f"it names image {identity}, which the file lacks")
            return
        image = self._usable.get(identity)
        if image is None:
            return  # the image was rejected, with its own reason
        try:
            lesion = self._lesion(annotation, image)
        except (ValueError, TypeError, OverflowError) as error:
            self._reject(where, str(error))
            self._left_out.add(image.path)
        else:
            self._images.add(f"{self._prefix}{where}", image, lesion)

    def _lesion(self, annotation: Mapping[str, Any], image: AnnotatedImage) -> Lesion:
        category = annotation.get("category_id")
        if category is not None and category not in self._categories:
            raise ValueError(f"it names category {category}, which the file lacks")
        name = self._categories.get(category, "")
        pathology = pathology_of(str(annotation.get("pathology") or name))
        return Lesion(lesion_type_of(name), pathology, annotation_outline(annotation, self._sizes[image.path]))

    def _reject(self, where: str, reason: str) -> None:
        self._found.reject(f"{self._prefix}{where}", reason)


def _content(path: Path) -> Content:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        parts: Content = {name: content[name] for name in ("images", "annotations")}
        parts["categories"] = content.get("categories") or []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AnnotationsError(f"{path} is no COCO file: {error!r}.") from error
    wrong = [name for name, part in parts.items() if not isinstance(part, list)]
    if wrong:
        raise AnnotationsError(f"{path} is no COCO file: {', '.join(wrong)} is no list.")
    return parts


def _identity(record: Any) -> Identity | None:
    """The id of an image or a category; None where it has none."""
    identity = record.get("id") if isinstance(record, dict) else None
    return identity if isinstance(identity, int | str) else None


def _path(folder: Path, record: Mapping[str, Any]) -> Path:
    name = record.get("file_name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"file_name {name} is no text")
    for path in (folder / name, folder / "images" / name):
        if path.is_file():
            return path.resolve()
    raise ValueError(f"there is no file {name}")


def _check_alone(count: int) -> None:
    if count > 1:
        raise ValueError(f"{count} images have this id: which of them an annotation means is unknown")


def _checked_size(path: Path, record: Mapping[str, Any]) -> tuple[int, int]:
    """Columns and rows of the file. Raises ValueError: the record says otherwise, and annotations will not fit."""
    size = file_size(path)
    stated = (record.get("width"), record.get("height"))
    if any(one is not None and one != real for one, real in zip(stated, size, strict=True)):
        raise ValueError(
            f"width and height are {stated[0]} x {stated[1]}, and the file has {size[0]} x {size[1]} pixels"
        )
    return size


def _annotated(folder: Path, path: Path, record: Mapping[str, Any]) -> AnnotatedImage:
    patient = record.get("patient_id")
    if not isinstance(patient, int | str) or patient == "":
        raise ValueError("the image has no patient_id: without it a patient can end on both sides of a split")
    return AnnotatedImage(
        path=path,
        patient_id=str(patient),
        dataset=folder.name,
        view=str(record.get("view") or "").upper(),
        laterality=str(record.get("laterality") or "")[:1].upper(),
        density=str(record.get("density") or ""),
        width_over_height=stated_ratio(record.get("width_over_height")),
        pixel_um=stated_pixel(record.get("pixel_um")),
    )


def _once(image: AnnotatedImage) -> AnnotatedImage:
    """Without the lesions that two files tell alike."""
    kept: list[Lesion] = []
    for lesion in image.lesions:
        if not any(_same(lesion, other) for other in kept):
            kept.append(lesion)
    return AnnotatedImage(**{**image.__dict__, "lesions": tuple(kept)})


def _same(first: Lesion, second: Lesion) -> bool:
    if (first.lesion_type, first.pathology) != (second.lesion_type, second.pathology):
        return False
    if first.outline is None or second.outline is None:
        return False  # two that nobody located may be two
    return np.array_equal(first.outline, second.outline)
