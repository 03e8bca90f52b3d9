"""How faint a lesion a network still finds: shapes that no training drew, pasted into lesion-free tissue.

Contrast-to-noise: mean brightness added where the shape adds at least half its most, over the standard deviation of
the tissue there, both in the normalised picture.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference.dense import scan_densely
from inference.errors import UnreadablePixelsError
from inference.grades import marking_threshold
from inference.scorer import Scorer
from inference.weights_file import TrainedModule
from inference.windows import Window, candidates
from training.annotations import AnnotatedImage
from training.augment import CONTEXT
from training.errors import TrainingError
from training.figures import Scores, auc_with_interval
from training.images import PreparedImage, prepare
from training.labels import Label, label_of
from training.shapes import shadow
from training.simulate import Picture, blurred, neighbourhood
from training.split import patient_key
from training.tissue import place_within

CONTRASTS = (0.5, 1.0, 2.0, 4.0, 8.0)
PLACES = 4
"""Places that are tried in each image."""


def contrast_figures(
    trained: TrainedModule,
    images: Sequence[AnnotatedImage],
    shapes: Sequence[NDArray[np.float64]],
    device: torch.device,
    progress: Callable[[int], None],
    seed: int = 1,
) -> list[dict[str, Any]]:
    """For each contrast-to-noise ratio: AUC of the places with the lesion against the same places without, and the
    share of both that reaches the score of grade 4."""
    scorer = Scorer(trained, device)
    cut = marking_threshold(trained.header.thresholds)
    rows: dict[float, list[tuple[float, bool, str]]] = {contrast: [] for contrast in CONTRASTS}
    for index, image in enumerate(images):
        random = np.random.default_rng((seed, index))
        try:
            prepared = prepare(image, trained.recipe)
        except (TrainingError, UnreadablePixelsError):  # named by the evaluation itself
            progress(index + 1)
            continue
        for window in _free_places(prepared, trained, random):
            added = blurred(
                shadow(shapes[int(random.integers(len(shapes)))], window.size, trained.recipe.module, random),
                prepared.detail,
            )
            patient = patient_key(image)
            without = _score(scorer, *_region(prepared, window, added, 0.0))
            for contrast, own in rows.items():
                found = _score(scorer, *_region(prepared, window, added, contrast))
                own += [(found, True, patient), (without, False, patient)]
        progress(index + 1)
    return [_figures(contrast, Scores.of(own), cut) for contrast, own in rows.items() if own]


def _free_places(prepared: PreparedImage, trained: TrainedModule, random: np.random.Generator) -> Iterator[Window]:
    """Windows wholly in the breast that hold no part of a lesion."""
    module = trained.recipe.module
    if any(lesion.outline is None and lesion.pathology != "benign" for lesion in prepared.annotated.lesions):
        return
    windows = candidates(prepared.normalised, trained.recipe.model_copy(update={"scan": "dense"}))
    order = random.permutation(len(windows))
    found = 0
    for place in order:
        window = place_within(windows[place], prepared, random)
        if window is not None and label_of(window, prepared.lesions, module) is Label.CONTROL:
            yield window
            found += 1
        if found == PLACES:
            return


def _region(
    prepared: PreparedImage, window: Window, added: Picture, contrast: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], Window]:
    """The window's neighbourhood with the lesion in it, what of it is breast, and the window therein."""
    region = neighbourhood(prepared.normalised.pixels, window)
    breast = neighbourhood(prepared.normalised.breast.view(np.uint8), window).view(np.bool_)
    first = (CONTEXT - 1) * window.size // 2
    inner = region[first : first + window.size, first : first + window.size]
    core = added >= added.max() / 2
    noise = max(float(inner[core].std()), 1.0)
    strength = contrast * noise / float(added[core].mean())
    inner[:] = np.clip(inner + strength * added, 0, 255).astype(np.uint8)
    return region, breast, Window(first, first, window.size)


def _score(scorer: Scorer, region: NDArray[np.uint8], breast: NDArray[np.bool_], window: Window) -> float:
    """The score of the scanned window that lies nearest; 0 where a scan leaves all of them out."""
    pixels = scorer.place(region)
    if scorer.recipe.scan == "candidates":
        return float(scorer.score(pixels, (window,)).scores[0])
    scored = scan_densely(scorer, pixels, breast)
    near = [
        float(score)
        for own, score in zip(scored.windows, scored.scores, strict=True)
        if max(abs(own.x - window.x), abs(own.y - window.y)) < window.size / 4
    ]
    return max(near, default=0.0)


def _figures(contrast: float, scores: Scores, cut: float | None) -> dict[str, Any]:
    with_lesion = scores.truth == 1
    return {
        "contrast_to_noise": contrast,
        "places": int(with_lesion.sum()),
        **{key: value for key, value in (auc_with_interval(scores) or {}).items() if key in ("auc", "ci")},
        "marked": None if cut is None else round(float((scores.scores[with_lesion] >= cut).mean()), 4),
        "marked_without": None if cut is None else round(float((scores.scores[~with_lesion] >= cut).mean()), 4),
    }
