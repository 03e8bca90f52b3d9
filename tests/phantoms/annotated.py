"""What reading annotations gave, in short."""

from training.annotations import Annotations


def left_out(found: Annotations) -> list[tuple[str, str]]:
    """Where a row could not be used, and why."""
    return [(row.where, row.reason) for row in found.unusable]


def names(found: Annotations) -> list[str]:
    """The files that can be used."""
    return [image.path.name for image in found.images]
