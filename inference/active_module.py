"""A module that is switched on: its network on the device, and how its scores are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from inference.activation import HEAT_SCALE, HeatMap, ScoredWindows, heat_canvas, heat_map
from inference.dense import scan_densely
from inference.errors import InferenceError, WeightsError
from inference.geometry import Affine
from inference.grades import GRADES
from inference.marks import Judgement, judge_module
from inference.preparation import ModuleInput
from inference.results import Grade, ImageResult, ModelIdentity, Module, ModuleResult, ModuleStatus, Reason
from inference.scorer import Scorer
from inference.site_calibration import LoadedCalibration
from inference.weights_file import load_weights


@dataclass(frozen=True)
class ActiveModule:
    """Scores prepared images and reads the scores."""

    scorer: Scorer
    judgement: Judgement
    identity: ModelIdentity

    @classmethod
    def load(
        cls,
        module: Module,
        weights: Path,
        device: torch.device,
        site: LoadedCalibration | None,
        mark_grade: Grade,
        maximum_marks: int,
    ) -> "ActiveModule":
        """Read `<weights>/<module>.safetensors` and put the network on the device; a site's calibration goes first.

        Raises WeightsError: the file cannot be used, or is another module's, or nobody gave it thresholds.
        """
        trained = load_weights(weights / f"{module.value}.safetensors")
        if trained.recipe.module is not module:
            raise _unfit(module, f"is of the module {trained.recipe.module.value}")
        part = site.of(module, trained.sha256) if site else None
        points = part.thresholds if part else trained.header.thresholds
        # the weights' own holds for whom they were trained on: no patient here is told a probability from there
        calibration = part.calibration if part else None
        if {point.grade for point in points} != set(GRADES):
            raise _unfit(module, "has no thresholds for grades 6, 5, 4 and 3")
        identity = trained.identity
        if part and site:
            identity = identity.model_copy(
                update={
                    "calibration_sha256": site.sha256,
                    "calibration_population": part.calibration.population,
                    "calibration_prevalence": part.calibration.prevalence,
                }
            )
        judgement = Judgement(module, trained.sha256, points, calibration, mark_grade, maximum_marks)
        return cls(Scorer(trained, device), judgement, identity)

    def score(self, images: Sequence[ModuleInput]) -> list[ScoredWindows] | Reason:
        """What the network says of each image, or why it cannot."""
        try:
            if self.scorer.recipe.scan == "dense":
                return [scan_densely(self.scorer, image.pixels, image.breast) for image in images]
            return self.scorer.score_images([(image.pixels, image.windows) for image in images])
        except InferenceError as error:
            return error.reason

    def judge(self, prepared: ModuleInput, scored: ScoredWindows, image: ImageResult) -> tuple[ModuleResult, HeatMap]:
        """The module's result on one image, and its heat map."""
        canvas = heat_canvas(scored, *prepared.shape)
        result = judge_module(self.judgement, scored, canvas, image, prepared.map)
        (sx, sy), offset = prepared.map.scale, prepared.map.offset
        to_stored = Affine((sx * HEAT_SCALE, sy * HEAT_SCALE), offset)
        return result, HeatMap(heat_map(canvas, prepared.breast), to_stored)

    def failed(self, reason: Reason) -> ModuleResult:
        """The module's result where its network could not score."""
        return ModuleResult(module=self.judgement.module, status=ModuleStatus.FAILED, reason=reason)


def _unfit(module: Module, what: str) -> WeightsError:
    return WeightsError(
        Reason(
            code="weights-unfit",
            text=f"The weights file {module.value}.safetensors {what}.",
            remedy="Put the right file there; mammonode-train calibrate writes thresholds.",
        )
    )
