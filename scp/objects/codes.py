"""The coded words of the result objects, and which of them says what.

Context groups are those of PS3.16; what a validator accepted is noted where it is not the obvious choice.
"""

from inference.results import Finding, Grade, Module, Reason
from scp.objects.content_tree import Code

GRADE_SCHEME = "99MAMMONODE"
GRADE_SCHEME_UID = "2.25.314038793424618111201824209359048829924"
GRADE_SCHEME_NAME = "mammonode suspicion grades, after medRxiv 2022.10.11.22280939"

RESEARCH_USE = "Research use, not a diagnosis"

ENGLISH = Code("en-US", "RFC5646", "English (United States)")
LANGUAGE = Code("121049", "DCM", "Language of Content Item and Descendants")

PERCENT = Code("%", "UCUM", "Percent")
MICROMETER = Code("um", "UCUM", "micrometer")
MILLIMETER = Code("mm", "UCUM", "mm")
PIXELS = Code("{pixels}", "UCUM", "Pixels")
ONE_TO_SIX = Code("{1:6}", "UCUM", "range: 1:6")

BREAST = Code("76752008", "SCT", "Breast")
LATERALITY = Code("272741003", "SCT", "Laterality")
BREASTS = {"R": Code("73056007", "SCT", "Right breast"), "L": Code("80248007", "SCT", "Left breast")}
BOTH_BREASTS = Code("63762007", "SCT", "Both breasts")
SIDES = {"R": Code("24028007", "SCT", "Right"), "L": Code("7771000", "SCT", "Left")}

CALCIFICATION_CLUSTER = Code("129769006", "SCT", "Calcification Cluster")
MASS = Code("129788004", "SCT", "Mammographic breast mass")
CAD_FINDINGS = {
    # CID 6014 calls a mass on one image a density: 129788004 is rejected there
    Module.NODULE: Code("129793001", "SCT", "Mammography breast density"),
    Module.MICROCALCIFICATION: CALCIFICATION_CLUSTER,
}
FINDINGS = {Module.NODULE: MASS, Module.MICROCALCIFICATION: CALCIFICATION_CLUSTER}

IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LATERALITY = Code("111027", "DCM", "Image Laterality")
IMAGE_VIEW = Code("111031", "DCM", "Image View")
IMAGE_VIEW_MODIFIER = Code("111032", "DCM", "Image View Modifier")
PATIENT_ORIENTATION_ROW = Code("111044", "DCM", "Patient Orientation Row")
PATIENT_ORIENTATION_COLUMN = Code("111043", "DCM", "Patient Orientation Column")
STUDY_DATE = Code("111060", "DCM", "Study Date")
STUDY_TIME = Code("111061", "DCM", "Study Time")
CONTENT_DATE = Code("111018", "DCM", "Content Date")
CONTENT_TIME = Code("111019", "DCM", "Content Time")
HORIZONTAL_SPACING = Code("111026", "DCM", "Horizontal Pixel Spacing")
VERTICAL_SPACING = Code("111066", "DCM", "Vertical Pixel Spacing")
PIXEL_DATA_ROWS = Code("110910", "DCM", "Pixel Data Rows")
PIXEL_DATA_COLUMNS = Code("110911", "DCM", "Pixel Data Columns")

ALGORITHM_NAME = Code("111001", "DCM", "Algorithm Name")
ALGORITHM_PARAMETERS = Code("111002", "DCM", "Algorithm Parameters")
ALGORITHM_VERSION = Code("111003", "DCM", "Algorithm Version")
TRACKING_IDENTIFIER = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
CERTAINTY_OF_FINDING = Code("111012", "DCM", "Certainty of Finding")
PROBABILITY_OF_CANCER = Code("111047", "DCM", "Probability of cancer")
COMMENT = Code("121106", "DCM", "Comment")
SOURCE = Code("260753009", "SCT", "Source")
"""OHIF wants a concept name on every item, so images get this one."""
IMAGE_REGION = Code("111030", "DCM", "Image Region")

PROCESSING_SUMMARY = Code("111017", "DCM", "CAD Processing and Findings Summary")
SUCCEEDED_WITHOUT_FINDINGS = Code("111241", "DCM", "All algorithms succeeded; without findings")
SUCCEEDED_WITH_FINDINGS = Code("111242", "DCM", "All algorithms succeeded; with findings")
PARTLY_WITHOUT_FINDINGS = Code("111243", "DCM", "Not all algorithms succeeded; without findings")
PARTLY_WITH_FINDINGS = Code("111244", "DCM", "Not all algorithms succeeded; with findings")
NONE_SUCCEEDED = Code("111245", "DCM", "No algorithms succeeded; without findings")

ASSESSMENT_CATEGORY = Code("111005", "DCM", "Assessment Category")
BI_RADS = {
    # CID 6027. Never 6: that means proven by biopsy.
    1: Code("397140005", "SCT", "1 - Negative"),
    3: Code("397143007", "SCT", "3 - Probably Benign"),
    4: Code("397144001", "SCT", "4 - Suspicious"),
    5: Code("397145000", "SCT", "5 - Highly suggestive of malignancy"),
}

GRADE = Code("GRADE", GRADE_SCHEME, "Suspicion grade")
STUDY_GRADE = Code("GRADE-STUDY", GRADE_SCHEME, "Suspicion grade of the study")
BREAST_GRADES = {
    "R": Code("GRADE-R", GRADE_SCHEME, "Suspicion grade of the right breast"),
    "L": Code("GRADE-L", GRADE_SCHEME, "Suspicion grade of the left breast"),
}
GRADES: dict[Grade, Code] = {
    6: Code("G6", GRADE_SCHEME, "Grade 6: malignant (specificity > 99 %)"),
    5: Code("G5", GRADE_SCHEME, "Grade 5: very high suspicion (specificity 95-99 %)"),
    4: Code("G4", GRADE_SCHEME, "Grade 4: suspicion (specificity < 95, sensitivity < 95 %)"),
    3: Code("G3", GRADE_SCHEME, "Grade 3: probably benign (sensitivity 95-99 %)"),
    1: Code("G1", GRADE_SCHEME, "Grade 1: benign (sensitivity > 99 %)"),
}
GRADE_WORDS: dict[Grade, str] = {
    6: "malignant",
    5: "very high suspicion of malignancy",
    4: "suspicion of malignancy",
    3: "probably benign",
    1: "benign",
}
"""The paper's words."""
OPERATING_POINTS: dict[Grade, int] = {6: 1, 5: 2, 4: 3, 3: 4}
"""CAD operating point of a grade (TID 4023), 1 the most specific; grade 1 is never marked."""


def assessment_category(grade: Grade) -> Code:
    """The BI-RADS category (CID 6027) the grade stands for; the paper's 6 is a 5."""
    return BI_RADS[min(grade, 5)]


def per_cent(score: float) -> float:
    """A score of 0 to 1 as the per cent that every object shows, one decimal."""
    return round(score * 100, 1)


def label(finding: Finding) -> str:
    """What a reader sees beside the outline, in one line."""
    return ", ".join(label_lines(finding))


def label_lines(finding: Finding) -> list[str]:
    """What was found, then how probable it is: never the word probability without a calibration."""
    lines = [f"AI {finding.module} score {per_cent(finding.score):g} (grade {finding.grade})"]
    if finding.probability is not None:
        lines.append(f"calibrated probability {per_cent(finding.probability):g} %")
    return lines


def breast_word(side: str) -> str:
    """'Right breast' or 'Left breast'."""
    return BREASTS[side].meaning


def reason_words(reason: Reason | None) -> str:
    """A reason as a sentence for a reader."""
    return reason.text.strip().rstrip(".") if reason else "no reason recorded"
