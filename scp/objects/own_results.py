"""Our own results, when a PACS sends them back: recognised by what they say of their maker, whatever their kind."""

from pydicom import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MammographyCADSRStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from scp.objects.identity import LABEL_MAP_SEGMENTATION_STORAGE, MODEL_NAME

OWN_SOP_CLASSES = frozenset(
    {
        MammographyCADSRStorage,
        Comprehensive3DSRStorage,
        ComprehensiveSRStorage,
        SegmentationStorage,
        LABEL_MAP_SEGMENTATION_STORAGE,
        GrayscaleSoftcopyPresentationStateStorage,
        SecondaryCaptureImageStorage,
        EncapsulatedPDFStorage,
        KeyObjectSelectionDocumentStorage,
    }
)


def is_own_result(ds: Dataset) -> bool:
    """Whether `ds` (a header is enough) was made by this software, here or on another node.

    The model name alone would not do: another maker may use the word. Our device UID stands both as the
    maker's and in the Contributing Equipment: derived objects of others may copy the second, but are not made by
    a device of ours.
    """
    if ds.get("SOPClassUID") not in OWN_SOP_CLASSES or ds.get("ManufacturerModelName") != MODEL_NAME:
        return False
    device_uid = ds.get("DeviceUID")
    return bool(device_uid) and any(
        item.get("ManufacturerModelName") == MODEL_NAME and item.get("DeviceUID") == device_uid
        for item in ds.get("ContributingEquipmentSequence") or []
    )
