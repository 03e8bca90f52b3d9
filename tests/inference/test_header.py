"""Reading a header whose values may be nonsense."""

from datetime import date

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.case import EligibilityPolicy
from inference.eligibility import judge_study
from inference.header import age_in_years, day, first, frames, items, values
from phantoms.mammogram import mammogram, write_study


def header(**keywords) -> Dataset:
    ds = Dataset()
    for keyword, value in keywords.items():
        setattr(ds, keyword, value)
    return ds


def test_values_are_upper_case_without_padding():
    assert values(header(SeriesDescription=["derived ", "Primary", ""]), "SeriesDescription") == (
        "DERIVED",
        "PRIMARY",
    )
    assert values(header(), "ImageType") == ()
    assert first(header(ImageType=""), "ImageType") == ""


def test_items_of_what_is_no_sequence():
    ds = Dataset()
    ds.add_new("ViewCodeSequence", "LO", "CC")
    assert items(ds, "ViewCodeSequence") == ()
    assert items(ds, "SourceImageSequence") == ()


@pytest.mark.parametrize(("number", "expected"), [(None, 1), ("", 1), ("5", 5)])
def test_frames(number, expected):
    assert frames(header(NumberOfFrames=number)) == expected


@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")  # the old form of the standard
@pytest.mark.parametrize(
    ("text", "expected"),
    [("20260302", date(2026, 3, 2)), ("2026.03.02", date(2026, 3, 2)), ("20260230", None), ("", None)],
)
def test_day(text, expected):
    assert day(header(StudyDate=text), "StudyDate") == expected


@pytest.mark.parametrize(
    ("keywords", "age"),
    [
        ({"PatientBirthDate": "20080302", "StudyDate": "20260301"}, 17),
        ({"PatientBirthDate": "20080301", "StudyDate": "20260301"}, 18),
        ({"PatientBirthDate": "20270301", "StudyDate": "20260301", "PatientAge": "040Y"}, 40),
        ({"PatientAge": "215M"}, 17),
        ({"PatientAge": "900W"}, 17),
        ({"PatientAge": "900D"}, 2),
        ({"PatientAge": ""}, None),
        ({}, None),
    ],
)
def test_age_at_the_study(keywords, age):
    assert age_in_years(header(**keywords)) == age


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's own words on these files are not the matter here
@pytest.mark.parametrize("name", [b"SpecificCharacterSet", b"GARBAGE", b"ISO 2022 IR 87"])
def test_names_in_any_or_no_character_set_are_judged(tmp_path, name):
    ds = mammogram(rows=64, columns=64, PatientName="Müller^Ångström=山田^花子=やまだ^はなこ")
    (file,) = write_study(tmp_path, [ds])
    content = file.read_bytes()
    file.write_bytes(content.replace(b"ISO_IR 192", name.ljust(10)[:10]))
    policy = EligibilityPolicy(False, False, False, False, False, True, None, date(2026, 1, 1))
    (verdict,) = judge_study([dcmread(file)], policy).values()
    assert verdict.eligible


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 144", "ISO_IR 192", "GB18030", ["", "ISO 2022 IR 87"]])
def test_names_in_several_character_sets(tmp_path, charset):
    names = {"ISO_IR 100": "Müller^Ä", "ISO_IR 144": "Люкceмбypг", "GB18030": "王^小东"}
    name = names.get(charset if isinstance(charset, str) else "", "Yamada^Tarou=山田^太郎")
    (file,) = write_study(tmp_path, [mammogram(rows=64, columns=64, SpecificCharacterSet=charset, PatientName=name)])
    policy = EligibilityPolicy(False, False, False, False, False, True, None, date(2026, 1, 1))
    (verdict,) = judge_study([dcmread(file)], policy).values()
    assert verdict.eligible


def test_missing_patient_and_study_attributes(tmp_path):
    absent = dict.fromkeys(
        ["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "StudyDate", "StudyID"]
    )
    ds = mammogram(rows=64, columns=64, **absent, AccessionNumber=None)
    policy = EligibilityPolicy(False, False, False, False, False, True, 30, date(2026, 1, 1))
    (verdict,) = judge_study([ds], policy).values()
    assert (verdict.eligible, verdict.notes) == (True, ())
