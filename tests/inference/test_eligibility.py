"""The whole table of what is analysed, what is not, and what is said."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from inference.eligibility import complete, judge_study
from inference.eligibility_rules import EXCLUSIONS, NOTES
from phantoms import small_study
from phantoms.mammogram import VIEWS, code, four_views, mammogram, secondary_capture, tomosynthesis

TODAY = date(2026, 3, 2)
DEFAULT = replace(small_study.policy(TODAY), prior_days=30)
GENERATED = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]


def image(laterality="R", view="CC", **keywords):
    return mammogram(laterality, view, **{"rows": 64, "columns": 64, "study_date": "20260301", **keywords})


def with_modifier(*values: str, scheme="SCT", **keywords) -> Dataset:
    ds = image(**keywords)
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = [code(value, "modifier", scheme) for value in values]
    return ds


def judge(ds, policy=DEFAULT, beside=()):
    return judge_study([ds, *beside], policy)[ds.SOPInstanceUID]


def admitting(**choices):
    return replace(DEFAULT, **choices)


@pytest.mark.parametrize("laterality", ["L", "R"])
@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_for_presentation_cc_and_mlo_are_analysed(laterality, view):
    verdict = judge(image(laterality, view))
    assert (verdict.eligible, verdict.reason, verdict.notes) == (True, None, ())
    assert (verdict.laterality, verdict.view, verdict.standard) == (laterality, view, True)


EXCLUDED = [
    ("for-processing", lambda: image(for_processing=True)),
    ("synthesised-2d", lambda: image(ImageType=GENERATED)),
    ("synthesised-2d", lambda: image(SeriesDescription="R CC C-View")),
    ("synthesised-2d", lambda: image(SeriesDescription="L MLO Insight 2D")),
    ("tomosynthesis", lambda: tomosynthesis(study_date="20260301")),
    ("tomosynthesis", lambda: image(ImageType=["ORIGINAL", "PRIMARY", "TOMO_PROJ"])),
    ("tomosynthesis", lambda: image(SOPClassUID=uid.BreastProjectionXRayImageStorageForProcessing)),
    *(
        ("stereotactic", lambda value=value: image(ImageType=["ORIGINAL", "PRIMARY", value]))
        for value in (
            "STEREO_SCOUT",
            "STEREO_MINUS",
            "PREFIRE",
            "PREFIRE_MINUS",
            "POSTFIRE_PLUS",
            "POSTBIOPSY",
            "POSTMARKER",
        )
    ),
    *(
        ("contrast-enhanced", lambda values=values: image(ImageType=["DERIVED", "PRIMARY", *values]))
        for values in (("POST_CONTRAST", "SUBTRACTION"), ("", "ADDITION"), ("POST_CONTRAST", "", "HIGH_ENERGY"))
    ),
    ("multi-frame", lambda: image(NumberOfFrames=5)),
    ("multi-frame", lambda: image(SOPClassUID=uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage)),
    ("spot-compression", lambda: with_modifier("399055006")),
    ("spot-compression", lambda: with_modifier("R-102D7", scheme="SRT")),
    ("magnification", lambda: with_modifier("399163009")),
    ("magnification", lambda: with_modifier("R-102D6", scheme="SNM3")),
    ("specimen", lambda: image(ViewCodeSequence=[code("127457009", "tissue specimen from breast")])),
    ("specimen", lambda: image(ViewCodeSequence=[code("G-8310", "Tissue specimen", "SRT")])),
    ("stereotactic", lambda: image(ImageType=["ORIGINAL", "PRIMARY", "STEREO_SCOUT"])),
    ("stereotactic", lambda: image(ImageType=["ORIGINAL", "PRIMARY", "STEREO_MINUS"])),
    ("quality-control", lambda: image(QualityControlImage="YES")),
    ("implant", lambda: image(BreastImplantPresent="YES")),
    ("secondary-capture", lambda: secondary_capture(rows=64, columns=64, study_date="20260301")),
    ("male", lambda: image(PatientSex="M")),
    ("minor", lambda: image(PatientBirthDate="20080302")),
    ("minor", lambda: image(PatientBirthDate=None, PatientAge="017Y")),
    ("minor", lambda: image(PatientBirthDate="", PatientAge="200M")),
    ("prior", lambda: image(study_date="20230302")),
    ("not-a-mammogram", lambda: image(SOPClassUID=uid.CTImageStorage)),
    ("not-a-mammogram", lambda: image(SOPClassUID=uid.ComprehensiveSRStorage)),
    ("not-a-mammogram", lambda: image(SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="US")),
]


@pytest.mark.parametrize(("reason", "make"), EXCLUDED)
def test_excluded_with_its_reason(reason, make):
    verdict = judge(make())
    assert not verdict.eligible
    assert not verdict.standard
    assert verdict.notes == ()
    assert verdict.reason is not None
    assert verdict.reason.code == reason


ADMITTED = [
    ("for-processing", {"for_processing": True}, lambda: image(for_processing=True)),
    ("synthesised-2d", {"synthesised_2d": True}, lambda: image(ImageType=GENERATED)),
    ("implant", {"implants": True}, lambda: image(BreastImplantPresent="YES")),
    ("secondary-capture", {"secondary_capture": True}, lambda: secondary_capture(rows=64, columns=64)),
    ("outside-population", {"male_or_minor": True}, lambda: image(PatientSex="M")),
    ("outside-population", {"male_or_minor": True}, lambda: image(PatientBirthDate="20100101")),
]


@pytest.mark.parametrize(("note", "choices", "make"), ADMITTED)
def test_a_setting_admits_it_with_a_note(note, choices, make):
    verdict = judge(make(), admitting(**choices, prior_days=None))
    assert verdict.eligible
    assert [said.code for said in verdict.notes] == [note]


NOTED = [
    ("view-outside-training", lambda: image(view="ML")),
    ("view-outside-training", lambda: image(view="XCCL")),
    ("view-outside-training", lambda: with_modifier("399197002")),
    ("view-outside-training", lambda: with_modifier("no such code")),
    ("implant-displaced", lambda: with_modifier("399209000", BreastImplantPresent="YES")),
    ("implant-displaced", lambda: with_modifier("R-102D5", scheme="SRT", BreastImplantPresent="YES")),
    ("missing-view", lambda: image(ViewCodeSequence=None)),
    ("missing-view", lambda: image(ViewCodeSequence=[code("1", "unknown", "99X")])),
    ("missing-laterality", lambda: image(ImageLaterality=None)),
    ("missing-laterality", lambda: image(ImageLaterality="B")),
]


@pytest.mark.parametrize(("note", "make"), NOTED)
def test_analysed_with_a_note_and_never_part_of_complete(note, make):
    verdict = judge(make())
    assert verdict.eligible
    assert [said.code for said in verdict.notes] == [note]
    assert not verdict.standard


def test_burned_in_annotation_is_noted():
    verdict = judge(image(BurnedInAnnotation="YES"))
    assert [said.code for said in verdict.notes] == ["burned-in-annotation"]
    assert verdict.standard


@pytest.mark.parametrize(
    "beside", [(), ({"PartialView": "YES"},), ({"for_processing": True},), ({"ImageType": GENERATED},)]
)
def test_a_part_of_the_breast_is_analysed_and_never_stands_for_its_view(beside):
    # nothing tells whether the parts that are there make up the whole
    part = judge(image(PartialView="YES"), beside=[image(**keywords) for keywords in beside])
    assert (part.eligible, part.standard) == (True, False)
    assert [said.code for said in part.notes] == ["partial-view"]


@pytest.mark.parametrize(
    ("keywords", "note"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "", "", "LOW_ENERGY"]}, "contrast-enhanced"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "POST_CONTRAST", "", "LOW_ENERGY"]}, "contrast-enhanced"),
        ({"BodyPartExamined": "HAND"}, "body-part"),
    ],
)
def test_no_negative_rests_on_what_the_networks_do_not_know(keywords, note):
    verdict = judge(image(**keywords))
    assert (verdict.eligible, verdict.standard) == (True, False)
    assert note in [said.code for said in verdict.notes]


@pytest.mark.parametrize(
    ("factor", "eligible"), [("1.0", True), ("1.1", True), ("1.29", True), ("1.3", False), ("1.8", False), ("", True)]
)
def test_magnification_is_told_by_its_factor_as_well(factor, eligible):
    verdict = judge(image(EstimatedRadiographicMagnificationFactor=factor))
    assert verdict.eligible is eligible
    assert (verdict.reason is None) is eligible
    assert eligible or verdict.reason.code == "magnification"


def test_frame_laterality_says_which_breast_a_tomosynthesis_shows():
    ds = tomosynthesis(study_date="20260301")
    for keyword in ("ImageLaterality", "Laterality"):
        if keyword in ds:
            del ds[keyword]
    anatomy, groups = Dataset(), Dataset()
    anatomy.FrameLaterality = "L"
    groups.FrameAnatomySequence = [anatomy]
    ds.SharedFunctionalGroupsSequence = [groups]
    assert judge(ds).laterality == "L"


def test_burned_in_annotation_can_be_excluded():
    verdict = judge(image(BurnedInAnnotation="YES"), admitting(burned_in_annotation=False))
    assert verdict.reason is not None
    assert verdict.reason.code == "burned-in-annotation"


class TestTwins:
    def test_for_processing_beside_its_presentation_is_not_analysed_even_where_admitted(self):
        raw = image(for_processing=True)
        for policy in (DEFAULT, admitting(for_processing=True)):
            verdict = judge(raw, policy, beside=[image()])
            assert verdict.reason is not None
            assert verdict.reason.code == "for-processing-twin"

    def test_a_reference_makes_a_twin_without_laterality(self):
        raw = image(for_processing=True, ImageLaterality=None)
        shown = image(ImageLaterality=None)
        shown.SourceImageSequence[0].ReferencedSOPInstanceUID = raw.SOPInstanceUID
        verdict = judge(raw, admitting(for_processing=True), beside=[shown])
        assert verdict.reason is not None
        assert verdict.reason.code == "for-processing-twin"

    def test_another_view_is_no_twin(self):
        raw = image(for_processing=True)
        beside = [image("L", "CC"), image("R", "MLO"), with_modifier("399163009")]
        assert judge(raw, admitting(for_processing=True), beside=beside).eligible

    def test_for_processing_of_a_whole_study_is_complete_where_admitted(self):
        study = four_views(rows=64, columns=64, for_processing=True, study_date="20260301")
        assert complete(judge_study(study, admitting(for_processing=True)).values())
        assert not complete(judge_study(study, DEFAULT).values())

    def test_synthesised_beside_full_field_is_not_analysed_even_where_admitted(self):
        generated = image(ImageType=GENERATED)
        verdict = judge(generated, admitting(synthesised_2d=True), beside=[image()])
        assert verdict.reason is not None
        assert verdict.reason.code == "synthesised-beside-full-field"

    def test_synthesised_is_never_part_of_complete(self):
        study = four_views(rows=64, columns=64, study_date="20260301", ImageType=GENERATED)
        verdicts = judge_study(study, admitting(synthesised_2d=True))
        assert all(verdict.eligible for verdict in verdicts.values())
        assert not complete(verdicts.values())

    def test_synthesised_is_no_twin_for_a_for_processing_image(self):
        raw = image(for_processing=True)
        assert judge(raw, admitting(for_processing=True), beside=[image(ImageType=GENERATED)]).eligible


class TestPrior:
    def test_thirty_days_are_not_too_old(self):
        assert judge(image(study_date="20260131")).eligible
        assert not judge(image(study_date="20260130")).eligible

    def test_no_limit_for_files_from_a_disk(self):
        assert judge(image(study_date="19990101"), admitting(prior_days=None)).eligible

    @pytest.mark.parametrize("study_date", ["", None, "20261332"])
    @pytest.mark.filterwarnings("ignore:Invalid value for VR DA")  # that is the case tested
    def test_a_missing_date_is_no_prior(self, study_date):
        assert judge(image(StudyDate=study_date)).eligible

    def test_tomorrows_study_is_no_prior(self):
        assert judge(image(study_date=(TODAY + timedelta(days=1)).strftime("%Y%m%d"))).eligible

    def test_it_is_said_before_anything_else(self):
        verdict = judge(image(study_date="20230101", PatientSex="M", for_processing=True))
        assert verdict.reason is not None
        assert verdict.reason.code == "prior"


class TestComplete:
    def test_four_views(self):
        verdicts = judge_study(four_views(rows=64, columns=64, study_date="20260301"), DEFAULT)
        assert complete(verdicts.values())

    @pytest.mark.parametrize("missing", range(4))
    def test_three_are_not(self, missing):
        study = four_views(rows=64, columns=64, study_date="20260301")
        del study[missing]
        assert not complete(judge_study(study, DEFAULT).values())

    def test_a_hundred_images(self):
        study = [image(laterality, view) for _ in range(25) for laterality in "LR" for view in ("CC", "MLO")]
        verdicts = judge_study(study, DEFAULT)
        assert len(verdicts) == 100
        assert complete(verdicts.values())

    def test_nothing_is_not(self):
        assert not complete([])


def test_a_tomosynthesis_only_study_says_so_for_each_instance():
    study = [tomosynthesis(side, view, study_date="20260301") for side in "LR" for view in ("CC", "MLO")]
    verdicts = judge_study(study, DEFAULT)
    assert {verdict.reason.code for verdict in verdicts.values() if verdict.reason} == {"tomosynthesis"}
    assert len(verdicts) == 4


def test_an_empty_header_is_no_mammogram():
    ds = Dataset()
    ds.SOPInstanceUID = generate_uid()
    verdict = judge(ds)
    assert verdict.reason is not None
    assert verdict.reason.code == "not-a-mammogram"


@pytest.mark.filterwarnings("ignore::UserWarning")  # values that pydicom warns of are the case tested
def test_values_that_make_no_sense_count_as_absent():
    ds = image(PatientAge="old", PatientBirthDate="yesterday", PartialView="PERHAPS", ImageType="")
    ds.add_new("NumberOfFrames", "LO", "many")
    ds.add_new("ViewCodeSequence", "LO", "CC")
    ds.add_new("SourceImageSequence", "LO", "1.2.3")
    verdict = judge(ds)
    assert verdict.eligible
    assert [note.code for note in verdict.notes] == ["missing-view"]


def test_every_exclusion_has_its_own_code_and_every_text_ends_as_a_sentence():
    codes = [reason.code for _, reason in EXCLUSIONS]
    assert len(codes) == len(set(codes))
    assert len({note.code for _, note in NOTES}) == len(NOTES)
    for _, reason in (*EXCLUSIONS, *NOTES):
        assert reason.text.endswith(".")
        assert not reason.remedy or reason.remedy.endswith(".")


def test_views_are_known_by_their_old_codes_too():
    for name, old in {"CC": "R-10242", "MLO": "R-10226", "ML": "R-10224", "LM": "R-10228", "XCCL": "R-1024A"}.items():
        for scheme in ("SRT", "SNM3", "99SDM"):
            assert judge(image(ViewCodeSequence=[code(old, "view", scheme)])).view == name
        assert judge(image(ViewCodeSequence=[code(*VIEWS[name])])).view == name


def test_view_position_serves_where_there_is_no_code():
    assert judge(image(ViewCodeSequence=None, ViewPosition="MLO")).view == "MLO"
    assert judge(image(view="CC", ViewPosition="MLO")).view == "CC"
    assert judge(image(ViewCodeSequence=None, ViewPosition="AP")).view is None


def test_laterality_of_the_series_serves_where_the_image_has_none():
    assert judge(image(ImageLaterality=None, Laterality="L")).laterality == "L"
    assert judge(image("R", Laterality="L")).laterality == "R"


def test_modifiers_beside_the_view_code_count():
    ds = image()
    ds.ViewModifierCodeSequence = [code("399163009", "Magnification")]
    verdict = judge(ds)
    assert verdict.reason is not None
    assert verdict.reason.code == "magnification"
