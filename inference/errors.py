"""One small tree of errors; every message names the remedy."""

from inference.results import Reason


class InferenceError(Exception):
    """Base of everything this package raises on purpose.

    `reason` is the coded form that status pages and result objects show.
    """

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(f"{reason.text} {reason.remedy}".strip())


class UnreadablePixelsError(InferenceError):
    """The pixels of an instance cannot be decoded or make no image."""


class WeightsError(InferenceError):
    """A weights or site-calibration file is damaged, or its recipe is unknown to this version."""


class DeviceError(InferenceError):
    """The chosen device is missing or has too little memory for a single window."""
