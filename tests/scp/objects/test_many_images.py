"""Studies of other shapes: one image, a hundred, pairs of twins."""

from copy import deepcopy

import pytest

from inference.results import Status
from phantoms.results import SPOT, WRITTEN, image_result, lesion, study_result
from scp.objects.build import build
from scp.objects.inputs import ObjectOptions, Revision


def copies(view, count):
    made = []
    for number in range(count):
        copy = deepcopy(view)
        copy.SOPInstanceUID, copy.InstanceNumber = f"1.2.3.{number + 1}", number + 1
        copy.SeriesInstanceUID = f"1.2.4.{number % 3 + 1}"
        made.append(copy)
    return made


@pytest.mark.parametrize("count", [1, 100])
def test_study_of_any_size(views, count):
    instances = copies(views[0], count)
    images = [
        image_result(ds, [lesion(f"RCC-nodule-{number}", (60.0, 80.0))] if number % 50 == 0 else [])
        for number, ds in enumerate(instances)
    ]
    result = study_result(images, views[0].StudyInstanceUID)
    objects = build(result, {ds.SOPInstanceUID: ds for ds in instances}, ObjectOptions(), Revision(1, WRITTEN))
    segmentations = [item for item in objects if item.kind == "seg"]
    assert len(segmentations) == max(1, count // 50)
    assert len({item.file_name for item in objects}) == len(objects) == 2 + len(segmentations)
    evidence = objects[0].dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert sum(len(series.ReferencedSOPSequence) for series in evidence) == count


def test_a_twin_that_was_not_analysed_is_named_and_not_referred_to(views, find):
    twin = deepcopy(views[0])
    twin.SOPInstanceUID, twin.SOPClassUID = "1.2.3.4", "1.2.840.10008.5.1.4.1.1.1.2.1"
    images = [*map(image_result, views), image_result(twin, status=Status.EXCLUDED, reason=SPOT)]
    sources = {ds.SOPInstanceUID: ds for ds in (*views, twin)}
    options = ObjectOptions(kinds=frozenset({"tid1500"}))
    (item,) = build(study_result(images, views[0].StudyInstanceUID), sources, options, Revision(1, WRITTEN))
    comments = " ".join(comment.TextValue for comment in find(item.dataset, "121106"))
    assert "RCC: excluded; A spot compression view is not analysed. (SOP Instance 1.2.3.4)" in comments
    series = item.dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert "1.2.3.4" not in {reference.ReferencedSOPInstanceUID for reference in series.ReferencedSOPSequence}
