"""Presentation contexts: what is analysed or judged, and what is accepted only to be dropped."""

from collections.abc import Collection, Mapping

from pydicom import uid
from pydicom.uid import UID
from pynetdicom import sop_class
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at run time

from config.listener import DroppedClass

UNCOMPRESSED = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)

TRANSFER_SYNTAXES = (
    # within one context the acceptor's order decides: nothing lossy while the peer offers better
    *UNCOMPRESSED,
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.RLELossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000,
    uid.HTJ2K,
    uid.JPEGExtended12Bit,
    uid.JPEGBaseline8Bit,
)

ANALYSED = (
    uid.DigitalMammographyXRayImageStorageForPresentation,
    uid.DigitalMammographyXRayImageStorageForProcessing,
)

JUDGED = (
    # an auto-routing PACS sends them along; eligibility excludes them with a reason
    uid.BreastTomosynthesisImageStorage,
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
)

_STORAGE: Mapping[str, str] = sop_class._STORAGE_CLASSES


def _classes(prefix: str) -> frozenset[UID]:
    return frozenset(UID(value) for value in _STORAGE.values() if value.startswith(prefix))


DROPPED: Mapping[DroppedClass, frozenset[UID]] = {
    "SR": _classes("1.2.840.10008.5.1.4.1.1.88.") - {uid.KeyObjectSelectionDocumentStorage},
    # the second is Label Map Segmentation, which pydicom 3.0 does not name yet
    "SEG": frozenset({uid.SegmentationStorage, UID("1.2.840.10008.5.1.4.1.1.66.7")}),
    "PR": _classes("1.2.840.10008.5.1.4.1.1.11."),
    "KO": frozenset({uid.KeyObjectSelectionDocumentStorage}),
    "PDF": frozenset({uid.EncapsulatedPDFStorage}),
}


def dropped_classes(names: Collection[DroppedClass]) -> frozenset[UID]:
    """The SOP classes that are accepted, counted and dropped."""
    return frozenset().union(*(DROPPED[name] for name in names))


def supported_contexts(names: Collection[DroppedClass]) -> list[PresentationContext]:
    """Verification, images in every transfer syntax, and the dropped classes (segmentations may be RLE)."""
    images = [build_context(image, list(TRANSFER_SYNTAXES)) for image in (*ANALYSED, *JUDGED)]
    dropped = [build_context(name, [*UNCOMPRESSED, uid.RLELossless]) for name in sorted(dropped_classes(names))]
    return [build_context(Verification, list(UNCOMPRESSED[:2])), *images, *dropped]
