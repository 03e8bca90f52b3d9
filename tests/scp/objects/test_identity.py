"""UIDs, revisions and equipment: a repeat is the same, a change is another."""

from copy import deepcopy
from io import BytesIO

import pytest

from phantoms.results import WRITTEN, case_result, image_result, lesion, study_result
from scp.objects.identity import device_uid
from scp.objects.inputs import Revision


def encoded(objects):
    files = {}
    for item in objects:
        buffer = BytesIO()
        item.dataset.save_as(buffer, enforce_file_format=True)
        files[item.file_name] = buffer.getvalue()
    return files


def uids(objects):
    return {item.file_name: item.dataset.SOPInstanceUID for item in objects}


def test_a_repeat_gives_the_same_bytes(build_case):
    assert encoded(build_case("many")) == encoded(build_case("many"))


def test_every_object_has_its_own_uid_of_a_uuid(build_case):
    made = list(uids(build_case("many")).values())
    assert len(made) == len(set(made)) == 3 + 3 + 4 + 3 + 2
    assert all(uid.startswith("2.25.") and len(uid) <= 44 for uid in made)


def test_which_kinds_are_asked_for_changes_no_object(build_case):
    assert uids(build_case("many"))["cad-sr.dcm"] == uids(build_case("many", kinds=["cad-sr"]))["cad-sr.dcm"]


def test_the_file_name_of_a_source_changes_no_object(build_case, views):
    result = case_result("many", views)
    renamed = [image.model_copy(update={"file": f"/elsewhere/{image.file}"}) for image in result.images]
    moved = result.model_copy(update={"images": tuple(renamed)})
    assert uids(build_case(result=moved, kinds=["cad-sr"])) == uids(build_case("many", kinds=["cad-sr"]))


@pytest.mark.parametrize("what", ["score", "weights", "patient", "option", "revision", "software"])
def test_a_change_makes_other_objects(build_case, views, what):
    before = uids(build_case("many", kinds=["cad-sr"]))["cad-sr.dcm"]
    result = case_result("many", views)
    keywords = {}
    if what == "score":
        marked = image_result(views[0], [lesion("RCC-nodule-1", (60.0, 80.0), score=0.92)])
        result = study_result([marked, *result.images[1:]], result.study_instance_uid)
    elif what == "weights":
        models = (result.models[0].model_copy(update={"weights_sha256": "f" * 64}), *result.models[1:])
        result = result.model_copy(update={"models": models})
    elif what == "software":
        result = result.model_copy(update={"software_version": "0.2.0"})
    elif what == "patient":
        for view in views:
            view.PatientID = "SYN0002"
    elif what == "option":
        keywords = {"assessment_category": False}
    else:
        keywords = {"revision": Revision(2, WRITTEN)}
    assert uids(build_case(result=result, kinds=["cad-sr"], **keywords))["cad-sr.dcm"] != before


def test_a_new_revision_stays_in_its_series_and_names_what_it_supersedes(build_case):
    first = {item.file_name: item.dataset for item in build_case("many")}
    predecessor = {
        kind: (first[f"{kind}.dcm"].SOPClassUID, first[f"{kind}.dcm"].SOPInstanceUID)
        for kind in ("cad-sr", "tid1500")
    }
    second = {item.file_name: item.dataset for item in build_case("many", revision=Revision(2, WRITTEN, predecessor))}
    assert first.keys() == second.keys()
    for name, ds in second.items():
        assert ds.SeriesInstanceUID == first[name].SeriesInstanceUID
        assert ds.SOPInstanceUID != first[name].SOPInstanceUID
        assert ds.InstanceNumber > first[name].InstanceNumber
    for kind in ("cad-sr", "tid1500"):
        (study,) = second[f"{kind}.dcm"].PredecessorDocumentsSequence
        (series,) = study.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == first[f"{kind}.dcm"].SeriesInstanceUID
        assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first[f"{kind}.dcm"].SOPInstanceUID
    assert "PredecessorDocumentsSequence" not in first["cad-sr.dcm"]


def test_segmentations_have_a_series_for_each_image(build_case):
    series = [item.dataset.SeriesInstanceUID for item in build_case("many", kinds=["seg"])]
    assert len(set(series)) == 3
    numbers = [item.dataset.SeriesNumber for item in build_case("many", kinds=["seg"])]
    assert numbers == [9101, 9102, 9103]


def test_device_follows_the_weights(build_case, views):
    result = case_result("many", views)
    ds = build_case("many", kinds=["cad-sr"])[0].dataset
    assert ds.DeviceUID == device_uid(result)
    acquisition, processing = ds.ContributingEquipmentSequence
    assert acquisition.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert acquisition.ManufacturerModelName == "Phantom 3000"
    assert processing.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert processing.DeviceUID == device_uid(result)
    assert result.models[0].weights_sha256[:16] in processing.ContributionDescription
    other = (result.models[0].model_copy(update={"weights_sha256": "f" * 64}), *result.models[1:])
    assert device_uid(result.model_copy(update={"models": other})) != ds.DeviceUID


def test_sources_are_left_as_they_are(build_case, views):
    before = [deepcopy(view) for view in views]
    build_case("many")
    assert views == before
