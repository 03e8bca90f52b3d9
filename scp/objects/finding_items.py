"""Content items that both reports say of a finding: which network, which lesion, how certain."""

from inference.results import Finding, Module, StudyResult
from scp.objects import codes
from scp.objects.content_tree import HAS_OBS_CONTEXT, Item, num, text, uidref
from scp.objects.words import model_words


def algorithm(result: StudyResult, module: Module, relationship: str) -> list[Item]:
    """TID 4019: name and version of the network, and which weights, recipe and calibration."""
    model = next((model for model in result.models if model.module is module), None)
    name, version = (model.name, model.version) if model else (f"mammonode {module}", result.software_version)
    items = [
        text(relationship, codes.ALGORITHM_NAME, name),
        text(relationship, codes.ALGORITHM_VERSION, version),
    ]
    return [*items, text(relationship, codes.ALGORITHM_PARAMETERS, model_words(model))] if model else items


def tracking(finding: Finding, prefix: str = "") -> list[Item]:
    """TID 4108: identifier and UID, the same in all objects of the study."""
    return [
        text(HAS_OBS_CONTEXT, codes.TRACKING_IDENTIFIER, prefix + finding.tracking_id),
        uidref(HAS_OBS_CONTEXT, codes.TRACKING_UID, finding.tracking_uid),
    ]


def certainty(relationship: str, finding: Finding) -> Item:
    """The score, in per cent."""
    return num(relationship, codes.CERTAINTY_OF_FINDING, codes.per_cent(finding.score), codes.PERCENT)


def probability(relationship: str, finding: Finding) -> list[Item]:
    """One item, or none where the network is not calibrated."""
    if finding.probability is None:
        return []
    return [num(relationship, codes.PROBABILITY_OF_CANCER, codes.per_cent(finding.probability), codes.PERCENT)]
