"""The way of a study: headers judged, pixels prepared, windows scored, lesions marked, grades given."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from inference.activation import HeatMap, ScoredWindows, at_stored_size
from inference.active_module import ActiveModule
from inference.case import EligibilityPolicy
from inference.device import choose_device, use_threads
from inference.eligibility import Verdict, judge_study
from inference.grades import GradedImage, assess, image_grade
from inference.headers import Header, blank_result, read_headers, unreadable_result
from inference.linking import Landmarks, link_views
from inference.orientation import laterality_note
from inference.preparation import Prepared, prepare, prepare_ahead
from inference.results import (
    Grade,
    ImageResult,
    ModelIdentity,
    Module,
    ModuleResult,
    ModuleStatus,
    Reason,
    Status,
    StudyResult,
)
from inference.site_calibration import load_site_calibration

OnHeatMap = Callable[[str, Module, HeatMap], None]
"""Called with each heat map as it is made: SOP Instance UID, module, heat map."""

AT_ONCE = {"cpu": 1, "cuda": 4}
"""Images whose windows share batches: on the CPU nothing is won by it, and their pixels stay in memory."""

T = TypeVar("T")

HeatMapSource = Callable[[str, Module], NDArray[np.float32] | None]


def default_weights() -> Path:
    """The folder of the weights that are installed with the package."""
    return Path(__file__).parent / "weights"


class Analyser:
    """The networks on their device. For one thread at a time."""

    def __init__(self, active: Mapping[Module, ActiveModule], pixel_memory: int, device: torch.device) -> None:
        self._active = active
        self._recipes = {module: part.scorer.recipe for module, part in active.items()}
        self._memory = pixel_memory
        self.device = str(device)
        self._device = device

    @classmethod
    def load(
        cls,
        weights: Path | None = None,
        modules: Iterable[Module] = tuple(Module),
        device: str = "auto",
        site_calibration: Path | None = None,
        threads: int = 0,
        mark_grade: Grade = 4,
        maximum_marks: int = 3,
        pixel_memory: int = 2 << 30,
    ) -> "Analyser":
        """Read the weights (the installed ones if no folder is named), choose the device, warm up.

        `threads` 0 takes every core this process may use. Raises WeightsError, DeviceError: each names its remedy.
        """
        chosen = choose_device(device)
        use_threads(threads)
        site = load_site_calibration(site_calibration) if site_calibration else None
        folder = weights or default_weights()
        active = {
            module: ActiveModule.load(module, folder, chosen, site, mark_grade, maximum_marks) for module in modules
        }
        for part in active.values():
            part.scorer.warm_up()
        return cls(active, pixel_memory, chosen)

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """Which networks are loaded."""
        return tuple(part.identity for part in self._active.values())

    def analyse_study(
        self,
        files: Sequence[Path],
        policy: EligibilityPolicy,
        progress: Callable[[str], None] | None = None,
        on_heat_map: OnHeatMap | None = None,
    ) -> StudyResult:
        """Analyse the instances of one study; every one of them is in the result, with its reason if not analysed.

        Never raises for a bad image. `progress` gets a line after each image.
        """
        headers = read_headers(files, self._memory)
        usable = [header.dataset for header in headers if header.dataset is not None and header.reason is None]
        verdicts = judge_study(usable, policy)
        eligible = [header for header in headers if self._active and _is_eligible(header, verdicts)]
        landmarks: dict[str, Landmarks] = {}
        analysed: dict[str, ImageResult] = {}
        prepared = prepare_ahead([header.path for header in eligible], self._recipes, self._memory, self._device)
        for some in _batched(zip(eligible, prepared, strict=True), AT_ONCE[self._device.type]):
            scored = self._score([image for _, image in some if isinstance(image, Prepared)])
            for header, image in some:
                result = self._analysed(header, verdicts[header.uid], image, scored, on_heat_map)
                analysed[header.uid] = result
                if isinstance(image, Prepared) and image.landmarks:
                    landmarks[header.uid] = image.landmarks
                if progress:
                    progress(f"{_name(result)}: {result.status.value} ({len(analysed)} of {len(eligible)})")
        images = [analysed[h.uid] if h in eligible else _not_analysed(h, verdicts) for h in headers]
        return self._study_result(headers, link_views(images, landmarks), verdicts)

    def heat_map_source(self, files: Mapping[str, Path]) -> HeatMapSource:
        """Heat maps of images that were analysed, by SOP Instance UID and module, made when asked for.

        (rows, columns) float32, 0 to 1, of the stored image; None where the module is off or failed.
        """
        return lambda uid, module: self._stored_heat_map(files[uid], module)

    def _score(self, images: Sequence[Prepared]) -> dict[tuple[Module, int], ScoredWindows | Reason]:
        """What each network says of each image, by module and the image's `id`."""
        scored: dict[tuple[Module, int], ScoredWindows | Reason] = {}
        for module, active in self._active.items():
            found = active.score([image.inputs[module] for image in images])
            for index, image in enumerate(images):
                scored[module, id(image)] = found if isinstance(found, Reason) else found[index]
        return scored

    def _analysed(
        self,
        header: Header,
        verdict: Verdict,
        image: Prepared | Reason,
        scored: Mapping[tuple[Module, int], ScoredWindows | Reason],
        on_heat_map: OnHeatMap | None,
    ) -> ImageResult:
        blank = blank_result(
            header, status=Status.FAILED, laterality=verdict.laterality, view=verdict.view, notes=verdict.notes
        )
        if isinstance(image, Reason):
            return blank.model_copy(update={"reason": image})
        if header.dataset is not None and (note := laterality_note(header.dataset, image.breast)):
            blank = blank.model_copy(update={"notes": (*blank.notes, note)})
        results = []
        for module in Module:
            if module not in self._active:
                results.append(ModuleResult(module=module, status=ModuleStatus.NOT_ATTEMPTED, reason=_SWITCHED_OFF))
                continue
            active, found = self._active[module], scored[module, id(image)]
            if isinstance(found, Reason):
                results.append(active.failed(found))
                continue
            result, heat = active.judge(image.inputs[module], found, blank)
            results.append(result)
            if on_heat_map:
                on_heat_map(blank.sop_instance_uid, module, heat)
        update: dict[str, object] = {"modules": tuple(results), "grade": image_grade(results)}
        failed = [result for result in results if result.status is ModuleStatus.FAILED]
        if len(failed) == len(self._active):
            return blank.model_copy(update=update | {"reason": failed[0].reason})
        return blank.model_copy(update=update | {"status": Status.ANALYSED})

    def _study_result(
        self, headers: Sequence[Header], images: Sequence[ImageResult], verdicts: Mapping[str, Verdict]
    ) -> StudyResult:
        standard = {uid for uid, verdict in verdicts.items() if verdict.standard}
        breasts, study = assess([GradedImage(image, image.sop_instance_uid in standard) for image in images])
        studies = [str(header.dataset.StudyInstanceUID) for header in headers if header.dataset is not None]
        return StudyResult(
            study_instance_uid=studies[0] if studies else "",
            software_version=version("mammonode"),
            models=self.models,
            operating_points={module: part.judgement.points for module, part in self._active.items()},
            images=tuple(images),
            breasts=breasts,
            study=study,
        )

    def _stored_heat_map(self, path: Path, module: Module) -> NDArray[np.float32] | None:
        if module not in self._active:
            return None
        prepared = prepare(path, {module: self._recipes[module]}, self._memory, self._device).inputs[module]
        active = self._active[module]
        scored = active.score([prepared])
        if isinstance(scored, Reason):
            return None
        header = read_headers([path], self._memory)[0]
        image = blank_result(header, status=Status.ANALYSED)
        heat = active.judge(prepared, scored[0], image)[1]
        return at_stored_size(heat, image.rows, image.columns)


def _batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """As itertools.batched, which Python 3.11 has not."""
    left = iter(items)
    while some := tuple(islice(left, size)):
        yield some


def _is_eligible(header: Header, verdicts: Mapping[str, Verdict]) -> bool:
    return header.reason is None and verdicts[header.uid].eligible


def _name(image: ImageResult) -> str:
    return f"{image.laterality or '?'}{image.view or '?'}"


def _not_analysed(header: Header, verdicts: Mapping[str, Verdict]) -> ImageResult:
    if header.reason is not None:
        return unreadable_result(header)
    verdict = verdicts[header.uid]
    return blank_result(
        header,
        status=Status.EXCLUDED,
        reason=verdict.reason or _ALL_SWITCHED_OFF,
        laterality=verdict.laterality,
        view=verdict.view,
        notes=verdict.notes,
    )


_SWITCHED_OFF = Reason(
    code="module-off", text="The module is switched off.", remedy="List it in analysis.modules to switch it on."
)
_ALL_SWITCHED_OFF = Reason(
    code="modules-off", text="Every module is switched off.", remedy="List modules in analysis.modules."
)
