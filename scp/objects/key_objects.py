"""Key object selection of the images with findings (PS3.3 A.35.4, TID 2010)."""

from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import KeyObjectSelectionDocumentStorage

from inference.results import ImageResult
from scp.objects import codes
from scp.objects.composite import new_object
from scp.objects.content_tree import CONTAINS, Code, container, image, number, text
from scp.objects.context import evidence, referenced_requests
from scp.objects.inputs import Inputs
from scp.objects.words import image_name

OF_INTEREST = Code("113000", "DCM", "Of Interest")
KEY_OBJECT_DESCRIPTION = Code("113012", "DCM", "Key Object Description")


def key_objects(inputs: Inputs, images: tuple[ImageResult, ...]) -> Dataset:
    """Points at `images`, which must not be empty."""
    names = ", ".join(image_name(result) for result in images)
    root = container(None, OF_INTEREST, template="2010")
    root.add(text(CONTAINS, KEY_OBJECT_DESCRIPTION, f"Images with AI marks: {names}. {codes.RESEARCH_USE}."))
    root.add(*(image(CONTAINS, result.sop_class_uid, result.sop_instance_uid) for result in images))
    ds = new_object(inputs, "kos", KeyObjectSelectionDocumentStorage, "KO", "key images")
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    requests = referenced_requests(inputs)
    if requests:
        ds.ReferencedRequestSequence = requests
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(inputs, images)
    number(root)
    return root.write(ds)
