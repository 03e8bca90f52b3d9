"""Who a study is of, for a page's body alone: read from the images each time, never kept by the node."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from scp.web import texts


@dataclass(frozen=True)
class Patient:
    """Who and when."""

    name: str
    identifier: str
    study_date: str


def patient_of(header: Dataset | None) -> Patient | None:
    """None where no image is left that tells."""
    if header is None:
        return None
    name = str(header.get("PatientName") or "").replace("^", " ").strip()
    date = str(header.get("StudyDate") or "")
    return Patient(
        name=name or texts.UNKNOWN,
        identifier=str(header.get("PatientID") or texts.UNKNOWN),
        study_date=f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 else texts.UNKNOWN,
    )
