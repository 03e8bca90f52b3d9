"""Which detector succeeded on which image, and the four ways that sums up (TID 4001, TID 4015)."""

from typing import NamedTuple

from inference.grades import MODULE_NOT_ATTEMPTED
from inference.results import ImageResult, Module, ModuleStatus, Status, StudyResult
from scp.objects import codes
from scp.objects.content_tree import Code
from scp.objects.inputs import Inputs

SUCCEEDED = Code("111222", "DCM", "Succeeded")
PARTIALLY_SUCCEEDED = Code("111223", "DCM", "Partially Succeeded")
FAILED = Code("111224", "DCM", "Failed")
NOT_ATTEMPTED = Code("111225", "DCM", "Not Attempted")


class Detections(NamedTuple):
    """Images by module. A module that was switched off is in neither."""

    succeeded: dict[Module, tuple[ImageResult, ...]]
    failed: dict[Module, tuple[ImageResult, ...]]

    @property
    def status(self) -> Code:
        """Status of Results (CID 6042) of all detections."""
        if self.succeeded and self.failed:
            return PARTIALLY_SUCCEEDED
        if self.succeeded:
            return SUCCEEDED
        return FAILED if self.failed else NOT_ATTEMPTED


def detections(inputs: Inputs) -> Detections:
    """Sort every attempted image, for each module; an unreadable image failed for all that were switched on."""
    succeeded: dict[Module, tuple[ImageResult, ...]] = {}
    failed: dict[Module, tuple[ImageResult, ...]] = {}
    for module in switched_on(inputs.result):
        outcomes = [(image, _outcome(image, module)) for image in inputs.attempted]
        for status, found in ((ModuleStatus.SUCCEEDED, succeeded), (ModuleStatus.FAILED, failed)):
            images = tuple(image for image, outcome in outcomes if outcome is status)
            if images:
                found[module] = images
    return Detections(succeeded, failed)


def switched_on(result: StudyResult) -> tuple[Module, ...]:
    """The modules that were to run: those with a network, or that left any trace on an image."""
    with_network = {model.module for model in result.models}
    traced = {
        module.module
        for image in result.images
        for module in image.modules
        if module.status is not ModuleStatus.NOT_ATTEMPTED
    }
    return tuple(module for module in Module if module in with_network | traced)


def processing_summary(inputs: Inputs) -> Code:
    """CAD Processing and Findings Summary (CID 6047).

    'All algorithms succeeded; without findings' is what a workstation shows as a negative: only where one is given.
    """
    outcome = detections(inputs)
    found = bool(inputs.result.findings)
    if not outcome.succeeded:
        return codes.NONE_SUCCEEDED
    if outcome.failed or _is_open(inputs.result):
        return codes.PARTLY_WITH_FINDINGS if found else codes.PARTLY_WITHOUT_FINDINGS
    return codes.SUCCEEDED_WITH_FINDINGS if found else codes.SUCCEEDED_WITHOUT_FINDINGS


def _is_open(result: StudyResult) -> bool:
    """Whether a grade is withheld for something other than a module that the site switched off."""
    assessments = (result.study, *result.breasts.values())
    return any(each.withheld is not None and each.withheld.code != MODULE_NOT_ATTEMPTED for each in assessments)


def _outcome(image: ImageResult, module: Module) -> ModuleStatus:
    if image.status is Status.FAILED:
        return ModuleStatus.FAILED
    return next((m.status for m in image.modules if m.module is module), ModuleStatus.NOT_ATTEMPTED)
