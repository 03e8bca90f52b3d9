"""Which breast, which view, which modifiers: read from the header, never guessed."""

from typing import Literal

from pydicom.dataset import Dataset

from inference.header import first, items

Laterality = Literal["L", "R"]

STANDARD_VIEWS = ("CC", "MLO")
"""Of each breast; a negative rests on both."""

VIEWS = {
    "399162004": "CC",
    "R-10242": "CC",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "441555000": "ISO",
    "R-40AAA": "ISO",
    "399265009": "XCC",
    "R-102CF": "XCC",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "399101009": "XCCM",
    "R-1024B": "XCCM",
    "127457009": "SPECIMEN",
    "G-8310": "SPECIMEN",
}
"""CID 4014 in SNOMED CT and in the older SNOMED RT codes (PS3.16 annex on SNOMED, and retired SNM3 and SRT)."""

MODIFIERS = {
    "399209000": "implant displaced",
    "R-102D5": "implant displaced",
    "399055006": "spot compression",
    "R-102D7": "spot compression",
    "399163009": "magnification",
    "R-102D6": "magnification",
    "399161006": "cleavage",
    "R-102D2": "cleavage",
    "399011000": "axillary tail",
    "R-102D1": "axillary tail",
    "442580003": "axillary tissue",
    "R-40AB2": "axillary tissue",
    "399197002": "rolled lateral",
    "R-102D3": "rolled lateral",
    "399226006": "rolled medial",
    "R-102D4": "rolled medial",
    "414493004": "rolled inferior",
    "R-102CA": "rolled inferior",
    "415670009": "rolled superior",
    "R-102C9": "rolled superior",
    "399110001": "tangential",
    "R-102C2": "tangential",
    "441752004": "anterior compression",
    "P2-00161": "anterior compression",
    "442593008": "infra-mammary fold",
    "R-40ABE": "infra-mammary fold",
    "442581004": "nipple in profile",
    "R-40AB3": "nipple in profile",
}
"""CID 4015, the same two ways."""


def read_laterality(ds: Dataset) -> Laterality | None:
    """Image Laterality, else the series' Laterality, else that of all frames (Frame Laterality, PS3.3 C.7.6.16.2.8);
    None where none names one breast.
    """
    shared = (
        anatomy
        for groups in items(ds, "SharedFunctionalGroupsSequence")
        for anatomy in items(groups, "FrameAnatomySequence")
    )
    frames = (first(item, "FrameLaterality") for item in shared)
    for side in (first(ds, "ImageLaterality"), first(ds, "Laterality"), *frames):
        if side == "L":
            return "L"
        if side == "R":
            return "R"
    return None


def read_view(ds: Dataset) -> str | None:
    """The view's usual abbreviation (CC, MLO, ...) by View Code Sequence, else by View Position."""
    for item in items(ds, "ViewCodeSequence"):
        view = VIEWS.get(first(item, "CodeValue"))
        if view is not None:
            return view
    position = first(ds, "ViewPosition")
    return position if position in VIEWS.values() else None


def read_modifiers(ds: Dataset) -> frozenset[str]:
    """The view's modifiers in the words of CID 4015; codes it does not know count as 'other'.

    View Modifier Code Sequence belongs inside the view's item (PS3.3 C.8.11.7); some write it beside it.
    """
    return frozenset(
        MODIFIERS.get(first(modifier, "CodeValue"), "other")
        for owner in (*items(ds, "ViewCodeSequence"), ds)
        for modifier in items(owner, "ViewModifierCodeSequence")
    )
