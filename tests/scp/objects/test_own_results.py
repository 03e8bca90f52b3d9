"""Loop protection: ours in every form, and nobody else's."""

from copy import deepcopy
from io import BytesIO

import pydicom
import pytest

from scp.objects.own_results import is_own_result


def header_of(ds):
    """The object as the listener sees it."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer, stop_before_pixels=True)


@pytest.mark.parametrize("options", [{}, {"labelmap": True, "comprehensive_3d": False, "manufacturer": "Hospital"}])
def test_every_kind_is_recognised(build_case, options):
    objects = build_case("many", **options)
    assert len({item.kind for item in objects}) == 8
    assert [item.kind for item in objects if not is_own_result(header_of(item.dataset))] == []


def test_negative_results_are_recognised(build_case):
    assert all(is_own_result(item.dataset) for item in build_case("none"))


def test_a_pacs_may_rename_patient_series_and_instance(one_of):
    ds = one_of("secondary-capture")
    ds.PatientID, ds.SeriesInstanceUID, ds.SOPInstanceUID = "OTHER", "1.2.3", "1.2.4"
    del ds.InstitutionName
    assert is_own_result(ds)


def test_mammograms_are_not_ours(views):
    assert not any(is_own_result(view) for view in views)
    views[0].ManufacturerModelName = "mammonode"
    assert not is_own_result(views[0])


def test_another_makers_objects_are_not_ours(one_of):
    sr = one_of("tid1500")
    derived = deepcopy(sr)
    derived.Manufacturer, derived.ManufacturerModelName = "Other", "Workstation"
    assert not is_own_result(derived), "made from ours, which its Contributing Equipment still names"
    homonym = deepcopy(sr)
    homonym.DeviceUID = "1.2.3"
    assert not is_own_result(homonym)
    bare = deepcopy(sr)
    del bare.ContributingEquipmentSequence
    assert not is_own_result(bare)
