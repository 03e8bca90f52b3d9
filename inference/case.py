"""One instance before the rules of eligibility: itself, its study, the site's choices."""

from dataclasses import dataclass
from datetime import date, timedelta

from inference.facts import (
    FOR_PRESENTATION,
    FOR_PROCESSING,
    MULTI_FRAME_SECONDARY_CAPTURE,
    SECONDARY_CAPTURE,
    TOMOSYNTHESIS,
    Facts,
)
from inference.view import STANDARD_VIEWS


@dataclass(frozen=True)
class EligibilityPolicy:
    """The site's choices: true admits an instance that the rules would exclude.

    `prior_days` None: no study is too old (the demonstration, files from a disk).
    """

    for_processing: bool
    synthesised_2d: bool
    implants: bool
    secondary_capture: bool
    male_or_minor: bool
    burned_in_annotation: bool
    prior_days: int | None
    today: date


@dataclass(frozen=True)
class Case:
    """One instance before the rules: itself, its study, the site's choices."""

    facts: Facts
    study: tuple[Facts, ...]
    policy: EligibilityPolicy

    @property
    def prior(self) -> bool:
        """Whether the study is older than the site analyses."""
        days, studied = self.policy.prior_days, self.facts.study_date
        return days is not None and studied is not None and self.policy.today - studied > timedelta(days=days)

    @property
    def mammogram(self) -> bool:
        """Whether it is an image of the classes that mammography uses."""
        if self.facts.sop_class in {SECONDARY_CAPTURE, *MULTI_FRAME_SECONDARY_CAPTURE}:
            return self.facts.modality == "MG"
        return self.facts.sop_class in {FOR_PRESENTATION, FOR_PROCESSING, *TOMOSYNTHESIS}

    @property
    def tomosynthesis(self) -> bool:
        """Slices, projections or scouts of tomosynthesis, whatever the class they come in."""
        named = any(value.startswith("TOMO") for value in self.facts.image_type)
        return self.facts.sop_class in TOMOSYNTHESIS or (named and not self.facts.synthesised)

    @property
    def minor(self) -> bool:
        """Under 18 at the study."""
        return self.facts.age is not None and self.facts.age < 18

    @property
    def bare_implant(self) -> bool:
        """An implant lies over the tissue; implant displaced views push it away."""
        return self.facts.implant and "implant displaced" not in self.facts.modifiers

    @property
    def outside_training(self) -> bool:
        """A view, or a modified view, that the networks were not trained on."""
        return self.facts.view not in (None, *STANDARD_VIEWS) or bool(self.facts.modifiers - {"implant displaced"})

    @property
    def ordinary(self) -> bool:
        """A whole view as the networks know it. Parts do not count: nothing tells that they make up a whole."""
        facts = self.facts
        odd = facts.partial or facts.synthesised or facts.contrast or facts.other_body_part
        return facts.view in STANDARD_VIEWS and not facts.modifiers and not odd

    @property
    def has_presentation_twin(self) -> bool:
        """The study holds the For Presentation image of this For Processing one."""
        return any(
            other.full_field and (self.facts.sop_instance in other.sources or self.facts.shows_the_same_as(other))
            for other in self.study
        )

    @property
    def beside_full_field(self) -> bool:
        """The study holds a full-field image of the same view."""
        return any(other.full_field and self.facts.shows_the_same_as(other) for other in self.study)
