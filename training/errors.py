"""What the training raises on purpose; every message names the remedy."""


class TrainingError(Exception):
    """Base of the training's own errors."""


class AnnotationsError(TrainingError):
    """A folder or file of annotations cannot be used at all."""


class LeakError(TrainingError):
    """A patient or an image stands on both sides of a split."""


class TooFewError(TrainingError):
    """The data cannot carry what was asked: one class only, or too few patients."""
