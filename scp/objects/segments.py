"""What a segment says of itself (PS3.3 C.8.20.4): what, how sure, by which network, under which tracking ids."""

from pydicom import Dataset
from pydicom.sequence import Sequence

from inference.results import Finding, Module, StudyResult
from scp.objects import codes
from scp.objects.content_tree import Code

SOURCE_FOR_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")
SEGMENTATION = Code("113076", "DCM", "Segmentation")
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
BACKGROUND = Code("125040", "DCM", "Background")

DISPLAY_COLORS = {  # CIELab as unsigned 16 bit (PS3.3 C.10.7.1.1): red nodules, yellow microcalcifications
    Module.NODULE: [39321, 48316, 43176],
    Module.MICROCALCIFICATION: [55704, 30840, 48316],
}


def lesion_segment(result: StudyResult, number: int, finding: Finding) -> Dataset:
    """A lesion, with score and grade in its label; a probability no longer fits there (LO)."""
    label, *probability = codes.label_lines(finding)
    ds = _segment(result, number, finding.module, label, "; ".join([*probability, codes.RESEARCH_USE]))
    ds.TrackingID, ds.TrackingUID = finding.tracking_id, finding.tracking_uid
    return ds


def heat_map_segment(result: StudyResult, number: int, module: Module, per_cent: float) -> Dataset:
    """Where a module saw something, and what its values are relative to."""
    description = (
        f"Activation of the {module} module's network, scaled so that its highest value in the image is the module's "
        f"score of the image ({per_cent:g} of 100). A relative measure, not a probability. {codes.RESEARCH_USE}."
    )
    return _segment(result, number, module, f"AI {module} activation, not a probability", description)


def background_segment() -> Dataset:
    """Value 0 of a label map."""
    ds = Dataset()
    ds.SegmentNumber, ds.SegmentLabel = 0, "Background"
    ds.SegmentedPropertyCategoryCodeSequence = BACKGROUND.sequence()
    ds.SegmentedPropertyTypeCodeSequence = BACKGROUND.sequence()
    ds.SegmentAlgorithmType, ds.SegmentAlgorithmName = "AUTOMATIC", "mammonode"
    return ds


def _segment(result: StudyResult, number: int, module: Module, label: str, description: str) -> Dataset:
    ds = Dataset()
    ds.SegmentNumber, ds.SegmentLabel = number, label
    ds.SegmentDescription = description
    ds.SegmentAlgorithmType = "AUTOMATIC"
    ds.SegmentedPropertyCategoryCodeSequence = ABNORMAL_STRUCTURE.sequence()
    ds.SegmentedPropertyTypeCodeSequence = codes.FINDINGS[module].sequence()
    ds.AnatomicRegionSequence = codes.BREAST.sequence()
    ds.RecommendedDisplayCIELabValue = DISPLAY_COLORS[module]
    model = next((model for model in result.models if model.module is module), None)
    ds.SegmentAlgorithmName = (model.name if model else "mammonode")[:64]
    algorithm = Dataset()
    algorithm.AlgorithmFamilyCodeSequence = ARTIFICIAL_INTELLIGENCE.sequence()
    algorithm.AlgorithmName = ds.SegmentAlgorithmName
    algorithm.AlgorithmVersion = (model.version if model else result.software_version)[:64]
    algorithm.AlgorithmSource = "mammonode"
    ds.SegmentationAlgorithmIdentificationSequence = Sequence([algorithm])
    return ds
