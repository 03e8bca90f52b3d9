"""Patient and study of the source: copied, completed, in any alphabet."""

import pytest
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from phantoms.files import named, reread
from phantoms.results import case_result, study_result
from scp.objects.context import NEVER_ABSENT
from scp.objects.inputs import InvalidObjectError

NAMES = [
    ("ISO_IR 100", "Müller^Åse"),
    ("ISO_IR 192", "Łuczak^Żaneta"),
    (["", "ISO 2022 IR 87"], "Yamada^Hanako=山田^花子=やまだ^はなこ"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
]


@pytest.mark.parametrize(("character_set", "name"), NAMES, ids=[name[1] for name in NAMES])
def test_names_of_any_alphabet_come_back(build_case, views, character_set, name):
    views[:] = [named(view, character_set, name) for view in views]
    objects = build_case("many", kinds=["cad-sr", "tid1500", "seg", "gsps", "pdf", "kos"])
    for item in objects:
        ds = reread(item.dataset)
        assert str(ds.PatientName) == name
        assert ds.SpecificCharacterSet == character_set


@pytest.mark.parametrize("institution", ["Städtisches Klinikum", "병원"])
def test_words_the_character_set_lacks_make_it_utf_8(build_case, views, institution):
    views[:] = [named(view, ["", "ISO 2022 IR 87"], "Yamada^Hanako=山田^花子") for view in views]
    ds = reread(build_case("many", kinds=["cad-sr"], institution=institution)[0].dataset)
    assert (ds.SpecificCharacterSet, ds.InstitutionName) == ("ISO_IR 192", institution)
    assert str(ds.PatientName) == "Yamada^Hanako=山田^花子"


def test_undeclared_latin_1_is_kept_as_utf_8(build_case, views):
    for view in views:
        view.SpecificCharacterSet, view.PatientName = "ISO_IR 100", "Müller^Åse"
    plain = [reread(view) for view in views]
    for view in plain:
        del view.SpecificCharacterSet
    views[:] = plain
    ds = reread(build_case("many", kinds=["tid1500"])[0].dataset)
    assert (ds.SpecificCharacterSet, str(ds.PatientName)) == ("ISO_IR 192", "Müller^Åse")


def test_absent_identity_is_empty_in_the_result(build_case, views):
    for view in views:
        for keyword in NEVER_ABSENT:
            delattr(view, keyword)
    for item in build_case("many"):
        assert all(item.dataset[keyword].is_empty for keyword in NEVER_ABSENT)


def test_requests_and_time_zone_are_kept(build_case, views):
    for view in views:
        view.TimezoneOffsetFromUTC = "+0530"
        view.RequestAttributesSequence[0].AccessionNumber = "REQ7"
    objects = {item.kind: item.dataset for item in build_case("many")}
    for kind in ("cad-sr", "tid1500", "kos"):
        (request,) = objects[kind].ReferencedRequestSequence
        assert (request.RequestedProcedureID, request.AccessionNumber) == ("RP1", "REQ7")
    for kind in ("seg", "heatmap", "gsps", "secondary-capture", "pdf"):
        assert objects[kind].RequestAttributesSequence[0].ScheduledProcedureStepID == "SPS1"
    assert objects["cad-sr"].TimezoneOffsetFromUTC == "+0530"
    assert (objects["cad-sr"].ContentDate, objects["cad-sr"].ContentTime) == ("20260302", "150015.000000")


def test_images_of_several_series_are_all_in_the_evidence(build_case, views):
    for number, view in enumerate(views):
        view.SeriesInstanceUID = f"1.2.3.{number + 1}"
    (study,) = build_case("many", kinds=["cad-sr"])[0].dataset.CurrentRequestedProcedureEvidenceSequence
    assert [series.SeriesInstanceUID for series in study.ReferencedSeriesSequence] == [
        "1.2.3.1",
        "1.2.3.2",
        "1.2.3.3",
        "1.2.3.4",
    ]


@pytest.mark.parametrize("spacing", [None, ["0.07", "0.08"], ["nan", "0.07"]])
def test_library_has_the_detectors_spacing_or_none(one_of, views, find, spacing):
    for view in views:
        view.EstimatedRadiographicMagnificationFactor = "1.5"
        if spacing is None:
            del view.ImagerPixelSpacing
        elif "nan" not in spacing:
            view.ImagerPixelSpacing = spacing
        else:
            view.ImagerPixelSpacing = ["0", "0.07"]
    found = find(one_of("cad-sr"), "111026")
    values = {float(item.MeasuredValueSequence[0].NumericValue) for item in found}
    assert values == ({80.0} if spacing == ["0.07", "0.08"] else set())


def test_what_a_source_says_badly_does_not_fail_its_study(build_case, views):
    for view in views:
        view.add(DataElement(0x00080050, "SH", "A" * 20, validation_mode=config.IGNORE))
        view.add(DataElement(0x00080030, "TM", "10:29:00", validation_mode=config.IGNORE))
        view.PatientOrientation = "CC"
        view.ViewCodeSequence[0].CodeMeaning = "\u982d\u5c3e"
        view.ProcedureCodeSequence = [Dataset()]
        view.ImagerPixelSpacing = "0.07"
    objects = build_case("many", kinds=["cad-sr", "tid1500", "seg", "gsps"])
    assert {item.dataset.AccessionNumber for item in objects} == {"A" * 20}
    assert {str(item.dataset.PatientOrientation or "") for item in objects if item.kind == "seg"} == {""}


def test_a_header_nobody_foresaw_is_a_reason_not_a_crash(build_case, views):
    result = case_result("many", views)
    for view in views:
        del view.SeriesInstanceUID
    with pytest.raises(InvalidObjectError, match="could not be made"):
        build_case(result=result)


def test_view_is_said_without_a_view_code(one_of, views, find, coded):
    result = case_result("many", views)
    for view in views:
        del view.ViewCodeSequence
    ds = one_of("cad-sr", result=result)
    assert coded(find(ds, "111031")) == ["399162004", "399162004", "399368009", "399368009"]


def test_missing_view_and_laterality_are_left_out(one_of, views, find):
    result = case_result("none", views)
    images = [image.model_copy(update={"laterality": None, "view": None}) for image in result.images]
    for view in views:
        del view.ViewCodeSequence, view.ImageLaterality
    ds = one_of("cad-sr", result=study_result(images, views[0].StudyInstanceUID))
    assert find(ds, "111031") == find(ds, "111027") == find(ds, "111005") == []
