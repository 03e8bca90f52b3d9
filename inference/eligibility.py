"""Which instances are analysed, which are not, and what is said about each: by the headers of the study alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from inference.case import Case, EligibilityPolicy
from inference.eligibility_rules import EXCLUSIONS, NOTES
from inference.facts import read_facts
from inference.results import Reason
from inference.view import STANDARD_VIEWS, Laterality


@dataclass(frozen=True)
class Verdict:
    """`reason` is set exactly where not eligible; `standard` images count towards the four standard views."""

    eligible: bool
    reason: Reason | None
    notes: tuple[Reason, ...]
    laterality: Laterality | None
    view: str | None
    standard: bool


def judge_study(headers: Sequence[Dataset], policy: EligibilityPolicy) -> dict[str, Verdict]:
    """The verdict on each instance of one study, by SOP Instance UID.

    Headers need no pixels. Never raises for what a header says: values that make no sense count as absent.
    """
    study = tuple(read_facts(ds) for ds in headers)
    return {facts.sop_instance: _judge(Case(facts, study, policy)) for facts in study}


def complete(verdicts: Iterable[Verdict]) -> bool:
    """Whether CC and MLO of both breasts are in."""
    seen = {(verdict.laterality, verdict.view) for verdict in verdicts if verdict.eligible and verdict.standard}
    return seen >= {(side, view) for side in ("L", "R") for view in STANDARD_VIEWS}


def _judge(case: Case) -> Verdict:
    facts = case.facts
    reason = next((reason for holds, reason in EXCLUSIONS if holds(case)), None)
    return Verdict(
        eligible=reason is None,
        reason=reason,
        notes=() if reason else tuple(note for holds, note in NOTES if holds(case)),
        laterality=facts.laterality,
        view=facts.view,
        standard=reason is None and facts.laterality is not None and case.ordinary,
    )
