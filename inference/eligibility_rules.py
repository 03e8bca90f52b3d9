"""The rules of eligibility, as a table: why an instance is not analysed, and what is said of one that is."""

from collections.abc import Callable

from inference.case import Case
from inference.facts import FOR_PROCESSING, MULTI_FRAME_SECONDARY_CAPTURE, SECONDARY_CAPTURE
from inference.results import Reason

Rule = tuple[Callable[[Case], bool], Reason]


def _rule(holds: Callable[[Case], bool], code: str, text: str, remedy: str = "") -> Rule:
    return holds, Reason(code=code, text=text, remedy=remedy)


EXCLUSIONS: tuple[Rule, ...] = (
    _rule(
        lambda case: case.prior,
        "prior",
        "The study is older than this node analyses; it is kept as a prior.",
        "Raise studies.prior_days, or use `mammonode analyze` on its files.",
    ),
    _rule(
        lambda case: not case.mammogram,
        "not-a-mammogram",
        "The instance is no mammogram.",
        "Route only mammograms to this node.",
    ),
    _rule(
        lambda case: case.tomosynthesis,
        "tomosynthesis",
        "Tomosynthesis is not analysed.",
        "Send the 2D mammograms of the study.",
    ),
    _rule(
        lambda case: case.facts.frames > 1 or case.facts.sop_class in MULTI_FRAME_SECONDARY_CAPTURE,
        "multi-frame",
        "Multi-frame images are not analysed.",
        "Send the 2D mammograms of the study.",
    ),
    _rule(
        lambda case: case.facts.quality_control,
        "quality-control",
        "The image is a quality control image, not a patient's.",
    ),
    _rule(
        lambda case: case.facts.sex == "M" and not case.policy.male_or_minor,
        "male",
        "The networks were not trained on male breasts.",
        "Set eligibility.male_or_minor to analyse them all the same.",
    ),
    _rule(
        lambda case: case.minor and not case.policy.male_or_minor,
        "minor",
        "The networks were not trained on patients under 18.",
        "Set eligibility.male_or_minor to analyse them all the same.",
    ),
    _rule(
        lambda case: case.facts.biopsy,
        "stereotactic",
        "Stereotactic and biopsy images are not analysed.",
    ),
    _rule(
        lambda case: case.facts.computed_contrast,
        "contrast-enhanced",
        "Subtraction and high energy images of contrast enhanced mammography are not analysed.",
        "Send the low energy images, or mammograms without contrast agent.",
    ),
    _rule(lambda case: case.facts.view == "SPECIMEN", "specimen", "Specimen images are not analysed."),
    _rule(
        lambda case: "spot compression" in case.facts.modifiers,
        "spot-compression",
        "Spot compression views are not analysed.",
        "Send the full views of the breast.",
    ),
    _rule(
        lambda case: "magnification" in case.facts.modifiers or case.facts.magnified,
        "magnification",
        "Magnification views are not analysed.",
        "Send the full views of the breast.",
    ),
    _rule(
        lambda case: case.bare_implant and not case.policy.implants,
        "implant",
        "Breasts with an implant are analysed in implant displaced views only.",
        "Send the implant displaced views, or set eligibility.implants.",
    ),
    _rule(
        lambda case: case.facts.sop_class == SECONDARY_CAPTURE and not case.policy.secondary_capture,
        "secondary-capture",
        "Secondary captures (digitised film) are not analysed.",
        "Set eligibility.secondary_capture, or --allow-secondary-capture, to analyse them.",
    ),
    _rule(
        lambda case: case.facts.burned_in and not case.policy.burned_in_annotation,
        "burned-in-annotation",
        "The image has annotations burnt in.",
        "Set eligibility.burned_in_annotation to analyse such images.",
    ),
    _rule(
        lambda case: case.facts.sop_class == FOR_PROCESSING and case.has_presentation_twin,
        "for-processing-twin",
        "Its For Presentation image is analysed instead.",
    ),
    _rule(
        lambda case: case.facts.sop_class == FOR_PROCESSING and not case.policy.for_processing,
        "for-processing",
        "For Processing images are not analysed.",
        "Send the For Presentation image, or set eligibility.for_processing if the site sends nothing else.",
    ),
    _rule(
        lambda case: case.facts.synthesised and case.beside_full_field,
        "synthesised-beside-full-field",
        "The full-field image of the same view is analysed instead of the synthesised one.",
    ),
    _rule(
        lambda case: case.facts.synthesised and not case.policy.synthesised_2d,
        "synthesised-2d",
        "2D images computed from tomosynthesis are not analysed.",
        "Send full-field mammograms, or set eligibility.synthesised_2d.",
    ),
)
"""Tried in this order; the first that holds is the reason."""

NOTES: tuple[Rule, ...] = (
    _rule(
        lambda case: case.facts.laterality is None,
        "missing-laterality",
        "The header does not say which breast this is; no grade for a breast rests on it.",
        "Set Image Laterality at the modality.",
    ),
    _rule(
        lambda case: case.facts.view is None,
        "missing-view",
        "The header does not say which view this is; no negative rests on it.",
        "Set View Code Sequence at the modality.",
    ),
    _rule(
        lambda case: case.outside_training,
        "view-outside-training",
        "The networks were trained on CC and MLO views, not on this one.",
    ),
    _rule(
        lambda case: "implant displaced" in case.facts.modifiers,
        "implant-displaced",
        "Implant displaced view: tissue beside the implant only.",
    ),
    _rule(lambda case: case.bare_implant, "implant", "An implant hides part of the breast."),
    _rule(lambda case: case.facts.partial, "partial-view", "The image shows a part of the breast only."),
    _rule(lambda case: case.facts.burned_in, "burned-in-annotation", "The image has annotations burnt in."),
    _rule(
        lambda case: case.facts.contrast,
        "contrast-enhanced",
        "An exposure of contrast enhanced mammography: the networks were not trained on such images.",
    ),
    _rule(
        lambda case: case.facts.other_body_part,
        "body-part",
        "Body Part Examined does not say breast; no negative rests on the image.",
        "Correct Body Part Examined at the source.",
    ),
    _rule(
        lambda case: case.facts.sop_class == FOR_PROCESSING,
        "for-processing",
        "A For Processing image, analysed because the site sends nothing else.",
    ),
    _rule(
        lambda case: case.facts.synthesised,
        "synthesised-2d",
        "Computed from tomosynthesis, not exposed: the networks were not trained on such images.",
    ),
    _rule(
        lambda case: case.facts.sop_class == SECONDARY_CAPTURE,
        "secondary-capture",
        "A secondary capture: its grey scale and size are not the detector's.",
    ),
    _rule(
        lambda case: case.facts.sex == "M" or case.minor,
        "outside-population",
        "The networks were trained on adult women.",
    ),
)
"""All that hold are said of an instance that is analysed."""
