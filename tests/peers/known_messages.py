"""The validators' false messages: a pattern that must match the whole line, and why it is false."""

import re
from collections.abc import Iterable

_PM = r'/CONTAINER \(126000,DCM,"Imaging Measurement Report"\)'
_GROUP = _PM + r'/CONTAINER \(126010,DCM,"Imaging Measurements"\)/CONTAINER \(125007,DCM,"Measurement Group"\)'

DCIODVFY = {
    r"Warning - Attribute is not present in standard DICOM IOD - \(0x0018,0x1002\) UI Device UID": (
        "PS3.3 C.7.5.1 and C.12.1 have Device UID since 2018; dicom3tools' tables are older"
    ),
    r"Warning - Dicom dataset contains attributes not present in standard DICOM IOD"
    r" - this is a Standard Extended SOP Class": "follows from the line about Device UID",
    r"Warning - Unrecognized defined term <2\.25\.314038793424618111201824209359048829924> for value 1 of attribute"
    r" <Coding Scheme UID>": "its UID, which no table can have",
    r"Warning - Missing attribute or value that would be needed to build DICOMDIR - .*": (
        "the source has lost its identity, and a result may not invent one"
    ),
    r"Warning - is only permitted to be empty when actually unknown; .* - attribute <Laterality>": (
        "the sheet of a study shows both breasts; leaving the attribute out is an error to dciodvfy"
    ),
    r"Warning - Unrecognized defined term <99MAMMONODE> for value 1 of attribute <Coding Scheme Designator>": (
        "the private scheme of the grades, which the object identifies as PS3.16 8 asks"
    ),
}
DSRDUMP = {
    r"W: The VR checker does not support this Specific Character Set: .*": "dcmtk 3.6.7 checks ASCII and Latin only",
    r"W: Check for template constraints not yet supported": "dcmtk 3.6.7 knows no templates for CAD SR",
}
DCMPSCHK = {
    r"W: patientName absent or empty in presentation state": (
        "Patient's Name is Type 2 (PS3.3 C.7.1.1): it is there, and empty where the source has none"
    ),
    r"Error: Attribute value does not conform to data type definition\. Affected attribute: PatientName .*": (
        "dcmtk 3.6.7 checks names as if all character sets had one byte a character"
    ),
}
PIXELMED = {
    r'Error: Template 1500 .*CODE \(121058,DCM,"Procedure reported"\).* not found in context group 100': (
        "CID 100 is a baseline group: it may be extended, and the code is the source's own procedure"
    ),
    r'Warning: Template 4015MammoParameters .*\("Failed  Detections"\)': (
        "PixelMed has two spaces in the name; PS3.16 has one"
    ),
    r'Warning: Template 4023 CADOperatingPoints/.*\("Operating Point Table"\)': (
        "PS3.16 D names the concept 'CAD Operating Point Table'"
    ),
    rf"Warning: [\d.]+: {_GROUP}/"
    r'(CODE|TEXT) \((111005,DCM,"Assessment Category"|GRADE,99MAMMONODE,"Suspicion grade"'
    r'|130400,DCM,"Geometric purpose of region"|121106,DCM,"Comment")\): Content Item not in template': (
        "TID 1410 has qualitative evaluations and a geometric purpose; PixelMed of 2022 lacks them"
    ),
    r"Error: Template 4023 CADOperatingPoints/.*\[Row [89]\] NUM \*.*": (
        "rows 8 and 9 are wildcards that PixelMed counts once for each operating point of the table"
    ),
}


def unknown(messages: Iterable[str], known: dict[str, str]) -> list[str]:
    """The messages that no pattern covers."""
    return [line for line in messages if not any(re.fullmatch(pattern, line) for pattern in known)]
