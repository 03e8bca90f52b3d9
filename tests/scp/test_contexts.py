"""What is proposed to peers: the classes and syntaxes of the conformance statement."""

from pydicom import uid
from pynetdicom.sop_class import Verification

from scp.contexts import (
    ANALYSED,
    DROPPED,
    JUDGED,
    TRANSFER_SYNTAXES,
    UNCOMPRESSED,
    dropped_classes,
    supported_contexts,
)


def test_everything_at_once_fits_into_one_association():
    contexts = supported_contexts(list(DROPPED))
    names = [context.abstract_syntax for context in contexts]
    assert len(names) == len(set(names)) <= 128
    assert {*ANALYSED, *JUDGED, Verification} <= set(names)


def test_dropped_classes_are_the_named_families():
    assert uid.MammographyCADSRStorage in DROPPED["SR"]
    assert uid.Comprehensive3DSRStorage in DROPPED["SR"]
    assert uid.KeyObjectSelectionDocumentStorage not in DROPPED["SR"]
    assert dropped_classes(["KO", "PDF"]) == {uid.KeyObjectSelectionDocumentStorage, uid.EncapsulatedPDFStorage}
    assert "1.2.840.10008.5.1.4.1.1.66.7" in DROPPED["SEG"]
    assert uid.GrayscaleSoftcopyPresentationStateStorage in DROPPED["PR"]


def test_nothing_is_dropped_when_nothing_is_named():
    assert len(supported_contexts([])) == 1 + len(ANALYSED) + len(JUDGED)


def test_lossless_before_lossy():
    lossy = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K}
    first_lossy = min(TRANSFER_SYNTAXES.index(syntax) for syntax in lossy)
    assert set(TRANSFER_SYNTAXES[first_lossy:]) == lossy
    assert TRANSFER_SYNTAXES[: len(UNCOMPRESSED)] == UNCOMPRESSED
