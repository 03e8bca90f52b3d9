"""Words of other formats to ours."""

import re

from training.annotations import LesionType, Pathology

_TYPES: tuple[tuple[str, LesionType], ...] = (
    ("calc", "calcification"),
    ("cluster", "calcification"),
    ("distort", "architectural_distortion"),
    ("spiculated region", "architectural_distortion"),
    ("asym", "asymmetry"),
    ("assym", "asymmetry"),
    ("mass", "mass"),
    ("nodul", "mass"),
    ("density", "mass"),
    ("neoplasm", "mass"),
)
"""First match wins: 'Mammography breast density' is the SR code's name for a mass (CID 6014)."""


def lesion_type_of(words: str) -> LesionType:
    """The lesion type that a name means; 'other' where it means none of ours."""
    return next((kind for part, kind in _TYPES if part in words.lower()), "other")


_MALIGNANT = r"(?:malig\w*|cancer\w*|carcinoma\w*)"
_NEGATION = (
    r"\b(?:non|not?|without|negative for|free of)[\s-]*"
    r"(?:(?:any|an?|definite|signs?|evidence|suspicion|suspicious|indication|proven|proof|of|for|be)\s+)*"
)


def pathology_of(words: str) -> Pathology:
    """The pathology that a text states; 'unknown' where it states none. 'Not malignant' is benign."""
    affirmed, ruled_out = re.subn(_NEGATION + _MALIGNANT, " ", words.lower())
    if re.search(_MALIGNANT, affirmed):
        return "malignant"
    affirmed = re.sub(_NEGATION + "benign", " ", affirmed)
    return "benign" if ruled_out or "benign" in affirmed else "unknown"


def pathology_of_category(category: str) -> Pathology:
    """BI-RADS assessment as a stand-in for pathology, as studies with INbreast do: 4 to 6 is malignant."""
    digit = next((letter for letter in category if letter.isdigit()), "")
    if digit in ("4", "5", "6"):
        return "malignant"
    return "benign" if digit in ("1", "2", "3") else "unknown"
