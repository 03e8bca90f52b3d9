"""Training without a GPU: whole images in several versions, worked out once, kept on disk.

Kept are their pixels at patch scale or, where the trunk (stem to layer3.3) is frozen, what it says of them, as a
dense scan runs it over the breast. Windows are then cut from that, 16 input pixels apart.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from inference.dense import at_patch_scale
from inference.errors import UnreadablePixelsError
from inference.evidence import STRIDE
from inference.recipe import Recipe
from training.annotations import AnnotatedImage, lesions_digest
from training.cells import CELL, to_cells
from training.errors import TrainingError
from training.images import PlacedLesion, PreparedImage, prepare
from training.model import TRUNK, TrainedNetwork
from training.plan import Plan
from training.records import Record, record_of
from training.runtime import Runtime
from training.samples import check_both_classes
from training.split import patient_key
from training.variants import as_variant
from training.window_labels import AIR, window_at, window_labels


@dataclass(frozen=True)
class TrunkMap:
    """One version of one image, on disk; its first cell is `top`, `left` cells from the corner.

    `features`: the trunk's output (rows, columns, 1024) float16, or pixels (rows, columns, CELL * CELL) uint8.

    `labels` (window rows, window columns) int8, for the window that starts in each cell: 1 case, 0 control,
    -1 unused, -2 too little breast.
    """

    features: NDArray[np.float16] | NDArray[np.uint8]
    top: int
    left: int
    labels: NDArray[np.int8]
    image: int
    patient: str
    dataset: str
    lesions: tuple[PlacedLesion, ...] = ()
    variant: int = 0
    """0: the image as it is; others are versions changed for training, and keep no lesions."""
    centres: tuple[tuple[float, float], ...] = ()
    """Row and column, in cells of this map, of every located lesion."""

    def part(self, rows: slice, columns: slice, device: torch.device) -> torch.Tensor:
        """(1, k, rows, columns) float32 on the device, channels last."""
        cut = np.asarray(self.features[rows, columns], np.float32)
        return torch.from_numpy(cut).to(device).permute(2, 0, 1)[None]


def build_maps(
    images: Sequence[AnnotatedImage],
    network: TrainedNetwork,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[TrunkMap, ...], tuple[str, ...]]:
    """Work out every image in every variant, or take what an interrupted run left in `folder`.

    Returns the maps, and the images that were skipped with the reason. Raises TooFewError: there is no case, or no
    control, among the windows.
    """
    maps: list[TrunkMap] = []
    skipped: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    network.eval()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # whole images side by side: nothing waits for the slowest part of a convolution
    try:
        with ThreadPoolExecutor(threads) as pool:
            make = partial(_image_maps, network, folder)
            for index, found in enumerate(pool.map(make, range(len(images)), images)):
                if isinstance(found, str):
                    skipped.append(found)
                else:
                    maps += found
                if progress:
                    progress(index + 1, len(images))
    finally:
        torch.set_num_threads(threads)
    cases = sum(int((trunk_map.labels == 1).sum()) for trunk_map in maps)
    controls = sum(int((trunk_map.labels == 0).sum()) for trunk_map in maps)
    check_both_classes(cases, controls, skipped)
    return tuple(maps), tuple(skipped)


def _image_maps(network: TrainedNetwork, folder: Path, index: int, image: AnnotatedImage) -> list[TrunkMap] | str:
    """The maps of one image in every variant, or why it gives none."""
    torch.set_num_threads(1)  # counts by thread
    try:
        return [_map_of(network, folder, index, image, variant) for variant in range(network.plan.variants)]
    except (TrainingError, UnreadablePixelsError) as error:
        return f"{image.path.name}: {error}"


def _map_of(network: TrainedNetwork, folder: Path, index: int, image: AnnotatedImage, variant: int) -> TrunkMap:
    key, labelled = _key(image, network.plan, index, variant), lesions_digest([image])
    if variant and network.plan.simulated_share > 0:
        key = f"{key}-{labelled}"  # lesions are drawn where there are none
    path, facts = folder / f"{key}.npy", folder / f"{key}-{labelled}.npz"
    if not facts.is_file():
        prepared = as_variant(prepare(image, network.plan.recipe), network.plan, index, variant)
        rows, columns = breast_box(prepared, network.plan.recipe)
        if not path.is_file():  # other annotations of the same image leave the trunk's output as it is
            features = trunk_features_of(prepared, network, rows, columns)
            _write(path, partial(np.save, arr=features))
        shape = (2 * (rows.stop - rows.start), 2 * (columns.stop - columns.start))
        top, left = 2 * rows.start, 2 * columns.start
        labels = window_labels(prepared, shape, (top, left), network.plan)
        outlines = [placed.outline for placed in prepared.lesions]
        points, ends = (
            np.concatenate([np.empty((0, 2)), *outlines]),
            np.cumsum([len(outline) for outline in outlines]),
        )
        _write(facts, lambda file: np.savez(file, top=top, left=left, labels=labels, points=points, ends=ends))
    with np.load(facts) as stored:
        located = [lesion for lesion in image.lesions if lesion.outline is not None] if variant == 0 else []
        outlines = np.split(stored["points"], stored["ends"].astype(int))
        top, left = int(stored["top"]), int(stored["left"])
        scale = network.plan.recipe.network.input_size / network.plan.recipe.windows.window / CELL
        middles = [(outline.min(axis=0) + outline.max(axis=0)) / 2 * scale for outline in outlines[:-1]]
        return TrunkMap(
            features=np.load(path, mmap_mode="r"),
            top=top,
            left=left,
            labels=stored["labels"],
            image=index,
            patient=patient_key(image),
            dataset=image.dataset,
            lesions=tuple(PlacedLesion(*pair) for pair in zip(located, outlines, strict=False)),
            variant=variant,
            centres=tuple((float(y) - top, float(x) - left) for x, y in middles),
        )


def _write(path: Path, save: Callable[[BinaryIO], None]) -> None:
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    with temporary.open("wb") as file:
        save(file)
    temporary.replace(path)


def map_record(network: TrainedNetwork, trunk_map: TrunkMap, image: AnnotatedImage, runtime: Runtime) -> Record:
    """What the network says of an image, from its trunk map: the windows of a dense scan."""
    features = trunk_map.part(slice(None), slice(None), runtime.device)
    with torch.inference_mode():
        logits = network.window_logits(features)[0]  # (2, window rows, window columns)
    scores = torch.softmax(logits, dim=0)[1].cpu().numpy()
    labels = trunk_map.labels[::2, ::2][: scores.shape[0], : scores.shape[1]]
    inside = np.argwhere(labels != AIR)
    windows = [
        window_at(trunk_map.top + 2 * row, trunk_map.left + 2 * column, network.plan) for row, column in inside
    ]
    chosen = scores[inside[:, 0], inside[:, 1]]
    return record_of(image, trunk_map.lesions, windows, chosen, network.plan.recipe.module)


def breast_box(prepared: PreparedImage, recipe: Recipe) -> tuple[slice, slice]:
    """Rows and columns of the breast's box, half a window wider, in the network's places (STRIDE input pixels)."""
    scaled = at_patch_scale(prepared.normalised.pixels, recipe)
    shrink = recipe.network.input_size / recipe.windows.window
    box = []
    for axis, limit in ((1, scaled.shape[0]), (0, scaled.shape[1])):
        inside = np.flatnonzero(prepared.normalised.breast.any(axis=axis)) * shrink
        half = recipe.network.input_size / 2
        low = max(int((inside[0] - half) // STRIDE), 0)
        high = min(int(-(-(inside[-1] + half) // STRIDE)), limit // STRIDE)
        box.append((low, max(high, min(low + recipe.network.input_size // STRIDE, limit // STRIDE))))
    return slice(*box[0]), slice(*box[1])


def trunk_features_of(
    prepared: PreparedImage, network: TrainedNetwork, rows: slice, columns: slice
) -> NDArray[np.float16] | NDArray[np.uint8]:
    """The part of the image that these places are, as pixels or as the trunk sees it: (2 rows, 2 columns, k)."""
    scaled = at_patch_scale(prepared.normalised.pixels, network.plan.recipe)
    part = scaled[rows.start * STRIDE : rows.stop * STRIDE, columns.start * STRIDE : columns.stop * STRIDE]
    if network.plan.trunk == "upper":
        return to_cells(np.asarray(np.rint(part.numpy() * 255), np.uint8))
    with torch.inference_mode():
        return network.trunk_features(part[None, None])[0].half().permute(1, 2, 0).contiguous().numpy()


def _key(image: AnnotatedImage, plan: Plan, index: int, variant: int) -> str:
    facts = (plan.recipe.sha256, plan.seed, plan.simulated_share > 0, plan.benign_as_control, image.path.name)
    drawn = (index, plan.rotation, plan.stretch, plan.contrast, plan.mirrored) if variant else 0
    place = (image.dataset, image.width_over_height, variant, drawn)
    kept = "pixels" if plan.trunk == "upper" else TRUNK
    digest = hashlib.sha256(repr((kept, *facts, *place)).encode())
    return digest.hexdigest()[:24]
