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
from threading import get_ident
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from inference.dense import at_patch_scale
from inference.errors import UnreadablePixelsError
from inference.evidence import STRIDE
from inference.recipe import Recipe
from training.annotations import AnnotatedImage, lesions_digest
from training.cells import CELL, to_cells
from training.contents import content_digest, tensors_digest
from training.errors import TrainingError
from training.images import PreparedImage, prepare
from training.model import TRUNK, TrainedNetwork
from training.plan import Plan
from training.samples import check_both_classes
from training.split import patient_key
from training.variants import as_variant
from training.window_labels import window_labels


@dataclass(frozen=True)
class TrunkMap:
    """One version of one image, on disk.

    `features`: the trunk's output (rows, columns, 1024) float16, or pixels (rows, columns, CELL * CELL) uint8.
    `labels` (window rows, window columns) int8, for the window that starts in each cell: 1 case, 0 control,
    -1 unused, -2 too little breast.
    """

    features: NDArray[np.float16] | NDArray[np.uint8]
    labels: NDArray[np.int8]
    patient: str
    dataset: str
    variant: int = 0
    """0: the image as it is; others are versions changed for training."""
    centres: tuple[tuple[float, float], ...] = ()
    """Row and column, in cells of this map, of every located lesion."""


class Maker(NamedTuple):
    """What makes the maps; `kept` says what they hold of an image."""

    network: TrainedNetwork
    folder: Path
    kept: str


def _kept(network: TrainedNetwork) -> str:
    """Pixels, or what this very trunk says: another start gives other maps."""
    if network.plan.trunk == "upper":
        return "pixels"
    state = network.resnet.state_dict()
    return tensors_digest({name: state[name] for name in state if name.startswith(TRUNK)})


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
            make = partial(_image_maps, Maker(network, folder, _kept(network)))
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


def _image_maps(maker: Maker, index: int, image: AnnotatedImage) -> list[TrunkMap] | str:
    """The maps of one image in every variant, or why it gives none."""
    torch.set_num_threads(1)  # counts by thread
    try:
        return [_map_of(maker, index, image, variant) for variant in range(maker.network.plan.variants)]
    except (TrainingError, UnreadablePixelsError) as error:
        return f"{image.path.name}: {error}"


def _map_of(maker: Maker, index: int, image: AnnotatedImage, variant: int) -> TrunkMap:
    plan, labelled = maker.network.plan, lesions_digest([image])
    key = _key(image, maker, index, variant)
    if variant and plan.simulated_share > 0:
        key = f"{key}-{labelled}"  # lesions are drawn where there are none
    path, facts = maker.folder / f"{key}.npy", maker.folder / f"{key}-{labelled}.npz"
    if not facts.is_file():
        prepared = as_variant(prepare(image, plan.recipe), plan, index, variant)
        rows, columns = breast_box(prepared, plan.recipe)
        if not path.is_file():  # other annotations of the same image leave the trunk's output as it is
            features = features_of(prepared, maker.network, rows, columns)
            _write(path, partial(np.save, arr=features))
        shape = (2 * (rows.stop - rows.start), 2 * (columns.stop - columns.start))
        top, left = 2 * rows.start, 2 * columns.start
        labels = window_labels(prepared, shape, (top, left), plan)
        _write(facts, partial(np.savez, labels=labels, centres=_centres(prepared, plan) - (top, left)))
    with np.load(facts) as stored:
        return TrunkMap(
            features=np.load(path, mmap_mode="r"),
            labels=stored["labels"],
            patient=patient_key(image),
            dataset=image.dataset,
            variant=variant,
            centres=tuple((float(row), float(column)) for row, column in stored["centres"]),
        )


def _centres(prepared: PreparedImage, plan: Plan) -> NDArray[np.float64]:
    """(n, 2) row and column of each located lesion's middle, in cells of the image."""
    scale = plan.recipe.network.input_size / plan.recipe.windows.window / CELL
    middles = [(placed.outline.min(axis=0) + placed.outline.max(axis=0)) / 2 for placed in prepared.lesions]
    return np.array(middles, np.float64).reshape(-1, 2)[:, ::-1] * scale


def _write(path: Path, save: Callable[[BinaryIO], None]) -> None:
    temporary = path.with_name(f".{os.getpid()}-{get_ident()}-{path.name}")
    with temporary.open("wb") as file:
        save(file)
    temporary.replace(path)


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


def features_of(
    prepared: PreparedImage, network: TrainedNetwork, rows: slice, columns: slice
) -> NDArray[np.float16] | NDArray[np.uint8]:
    """The part of the image that these places are, as pixels or as the trunk sees it: (2 rows, 2 columns, k)."""
    scaled = at_patch_scale(prepared.normalised.pixels, network.plan.recipe)
    part = scaled[rows.start * STRIDE : rows.stop * STRIDE, columns.start * STRIDE : columns.stop * STRIDE]
    if network.plan.trunk == "upper":
        return to_cells(np.asarray(np.rint(part.numpy() * 255), np.uint8))
    with torch.inference_mode():
        return network.trunk_features(part[None, None])[0].half().permute(1, 2, 0).contiguous().numpy()


def _key(image: AnnotatedImage, maker: Maker, index: int, variant: int) -> str:
    plan = maker.network.plan
    facts = (plan.recipe.sha256, plan.seed, plan.simulated_share > 0, plan.benign_as_control)
    drawn = (index, plan.rotation, plan.stretch, plan.contrast, plan.mirrored) if variant else 0
    place = (content_digest(image.path), image.width_over_height, variant, drawn)
    digest = hashlib.sha256(repr((maker.kept, *facts, *place)).encode())
    return digest.hexdigest()[:24]
