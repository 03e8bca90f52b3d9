"""From settings to the parts that know no settings: policy, analyser, object options."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from config.analysis import Eligibility, Objects
from config.settings import Settings
from inference.case import EligibilityPolicy
from inference.results import Module
from scp.objects.build import ObjectOptions

if TYPE_CHECKING:
    from inference.pipeline import Analyser


def eligibility_policy(eligibility: Eligibility, prior_days: int | None) -> EligibilityPolicy:
    """The site's choices as of today; `prior_days` None exempts from the rule on priors (demonstration, analyze)."""
    return EligibilityPolicy(**eligibility.model_dump(), prior_days=prior_days, today=datetime.now(UTC).date())


def object_options(objects: Objects, kinds: Iterable[str]) -> ObjectOptions:
    """How results are written, for the given kinds of object."""
    return ObjectOptions(kinds=frozenset(kinds), **objects.model_dump())


def load_analyser(settings: Settings) -> "Analyser":
    """Load the networks onto their device (the only place where the node imports torch).

    Raises WeightsError, DeviceError: each names its remedy.
    """
    from inference.pipeline import Analyser  # noqa: PLC0415 - receiver and web must not pay for torch

    analysis = settings.analysis
    return Analyser.load(
        weights=analysis.weights,
        modules=tuple(Module(name) for name in analysis.modules),
        device=analysis.device,
        site_calibration=analysis.site_calibration,
        threads=analysis.threads,
        mark_grade=analysis.mark_grade,
        maximum_marks=analysis.maximum_marks,
        pixel_memory=analysis.pixel_memory,
    )
