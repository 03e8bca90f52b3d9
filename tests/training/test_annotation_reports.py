"""DICOM objects as annotations: which reports count, what they say of SEGs, and what they leave in doubt."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import highdicom
import numpy as np
import pytest
from highdicom.sr import (
    FindingSite,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    ReferencedSegmentationFrame,
    SourceImageForSegmentation,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from phantoms.mammogram import four_views
from phantoms.results import WRITTEN, case_result
from scp.objects.build import build
from scp.objects.inputs import ObjectOptions, Revision
from training.annotations import Annotations, Lesion, read_annotations

UNDERSTOOD = "a measurement group cannot be understood: "


def node_objects(views: Sequence[Dataset], kind: str) -> list[Dataset]:
    """What our node writes for a study with marks on the first three views."""
    sources = {view.SOPInstanceUID: view for view in views}
    made = build(case_result("many", views), sources, ObjectOptions(kinds=frozenset({kind})), Revision(1, WRITTEN))
    return [written.dataset for written in made]


def save(ds: Dataset, path: Path) -> None:
    ds.save_as(path, enforce_file_format=True)


@pytest.fixture
def study(tmp_path: Path) -> list[Dataset]:
    """R CC, L CC, R MLO, L MLO, written as 0.dcm to 3.dcm."""
    views = four_views(rows=200, columns=160)
    for number, view in enumerate(views):
        save(view, tmp_path / f"{number}.dcm")
    return views


@pytest.fixture
def segmented(tmp_path: Path, study: list[Dataset]) -> list[Dataset]:
    """The node's SEGs beside their images: 3 lesions on the first, one on each of the next two."""
    written = node_objects(study, "seg")
    for number, seg in enumerate(written):
        save(seg, tmp_path / f"seg{number}.dcm")
    return written


def name(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return names[0].CodeValue if names else ""


def measurements(report: Dataset) -> Dataset:
    return next(item for item in report.ContentSequence if name(item) == "126010")


def without_groups(report: Dataset) -> Dataset:
    report.ContentSequence.remove(measurements(report))
    return report


def another(report: Dataset) -> Dataset:
    """The same report as an object of its own."""
    copy = deepcopy(report)
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return copy


def only_evidence(report: Dataset, views: Sequence[Dataset]) -> None:
    """Let a report have looked at these images alone."""
    kept = {view.SOPInstanceUID for view in views}
    (own,) = report.CurrentRequestedProcedureEvidenceSequence
    for series in own.ReferencedSeriesSequence:
        references = series.ReferencedSOPSequence
        references[:] = [one for one in references if one.ReferencedSOPInstanceUID in kept]


def lesions(found: Annotations) -> dict[str, int]:
    return {image.path.name: len(image.lesions) for image in found.images}


def reasons(found: Annotations) -> dict[str, str]:
    return {row.where: row.reason for row in found.unusable}


def box(lesion: Lesion) -> list[float]:
    assert lesion.outline is not None
    return [*lesion.outline.min(axis=0), *lesion.outline.max(axis=0)]


def test_a_report_of_another_template_makes_nothing_healthy(
    tmp_path: Path, study: list[Dataset], segmented: list[Dataset]
) -> None:
    (report,) = node_objects(study, "tid1500")
    without_groups(report)
    report.ConceptNameCodeSequence[0].CodeValue = "18748-4"
    report.ContentTemplateSequence[0].TemplateIdentifier = "2000"
    save(report, tmp_path / "sr.dcm")
    found = read_annotations([tmp_path])
    assert lesions(found) == {"0.dcm": 3, "1.dcm": 1, "2.dcm": 1}
    assert reasons(found) == {"3.dcm": "no SEG and no report refers to this image"}
    assert found.notes == ["sr.dcm is no measurement report (TID 1500), and was not read: it makes no image healthy."]


def test_a_report_without_measurement_groups_erases_no_segmentation(
    tmp_path: Path, study: list[Dataset], segmented: list[Dataset]
) -> None:
    (report,) = node_objects(study, "tid1500")
    save(without_groups(report), tmp_path / "sr.dcm")
    found = read_annotations([tmp_path])
    assert lesions(found) == {"0.dcm": 3, "1.dcm": 1, "2.dcm": 1, "3.dcm": 0}
    assert found.unusable == []
    assert found.notes[1] == (
        "3 image(s) have lesions in a SEG, and a report without measurement groups: the SEG was kept."
    )


def test_a_group_that_a_reader_deleted_takes_its_segment_away(
    tmp_path: Path, study: list[Dataset], segmented: list[Dataset]
) -> None:
    (report,) = node_objects(study, "tid1500")
    groups = measurements(report).ContentSequence
    groups[:] = [group for group in groups if study[1].SOPInstanceUID not in str(group)]
    save(report, tmp_path / "sr.dcm")
    assert lesions(read_annotations([tmp_path])) == {"0.dcm": 3, "1.dcm": 0, "2.dcm": 1, "3.dcm": 0}


def test_a_group_that_cannot_be_understood_leaves_out_its_image_alone(tmp_path: Path, study: list[Dataset]) -> None:
    (report,) = node_objects(study, "tid1500")
    for group in measurements(report).ContentSequence:
        if study[1].SOPInstanceUID in str(group):
            region = next(item for item in group.ContentSequence if name(item) == "111030")
            region.GraphicData = [5.0, 5.0, 9.0, 9.0, 5.0, 5.0]
    save(report, tmp_path / "sr.dcm")
    found = read_annotations([tmp_path])
    assert lesions(found) == {"0.dcm": 3, "2.dcm": 1, "3.dcm": 0}
    assert reasons(found) == {"1.dcm": f"{UNDERSTOOD}an outline has 2 point(s): it needs 3"}


def test_a_region_outside_its_image_leaves_it_out(tmp_path: Path, study: list[Dataset]) -> None:
    (report,) = node_objects(study, "tid1500")
    for group in measurements(report).ContentSequence:
        if study[1].SOPInstanceUID in str(group):
            region = next(item for item in group.ContentSequence if name(item) == "111030")
            region.GraphicData = [500.0, 5.0, 600.0, 5.0, 600.0, 90.0, 500.0, 5.0]
    save(report, tmp_path / "sr.dcm")
    assert reasons(read_annotations([tmp_path])) == {
        "1.dcm": f"{UNDERSTOOD}an outline lies entirely outside the image of 160 x 200 pixels"
    }


def test_a_group_that_names_no_image_leaves_out_every_image_of_its_report(
    tmp_path: Path, study: list[Dataset]
) -> None:
    (report,) = node_objects(study, "tid1500")
    other = another(report)
    only_evidence(report, study[:2])
    (group, *_) = measurements(report).ContentSequence
    group.ContentSequence[:] = [item for item in group.ContentSequence if item.ValueType != "SCOORD"]
    measurements(report).ContentSequence[:] = [group]
    save(report, tmp_path / "sr.dcm")
    save(without_groups(other), tmp_path / "sr1.dcm")
    found = read_annotations([tmp_path])
    assert lesions(found) == {"2.dcm": 0, "3.dcm": 0}
    assert reasons(found) == dict.fromkeys(("0.dcm", "1.dcm"), f"{UNDERSTOOD}it has no region on an image")


def highdicom_report(source: Dataset, segmentation: Dataset, frame: int) -> Dataset:
    """A TID 1500 report whose only group takes its region from a frame of a SEG."""
    segment = segmentation.PerFrameFunctionalGroupsSequence[frame - 1].SegmentIdentificationSequence[0]
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=generate_uid(), identifier="lesion"),
        referenced_segment=ReferencedSegmentationFrame(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            frame_number=frame,
            segment_number=segment.ReferencedSegmentNumber,
            source_image=SourceImageForSegmentation(source.SOPClassUID, source.SOPInstanceUID),
        ),
        finding_type=codes.SCT.Mass,
        finding_sites=[FindingSite(codes.SCT.Breast)],
    )
    person = ObserverContext(codes.DCM.Person, PersonObserverIdentifyingAttributes(name="Reader^R"))
    content = MeasurementReport(
        observation_context=ObservationContext(observer_person_context=person),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
    )
    return highdicom.sr.Comprehensive3DSR(
        evidence=[source, segmentation],
        content=content,
        series_number=9,
        series_instance_uid=generate_uid(),
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="made here",
        is_complete=True,
    )


def test_a_group_takes_its_outline_from_the_frame_of_a_segmentation(
    tmp_path: Path, study: list[Dataset], segmented: list[Dataset]
) -> None:
    """As highdicom writes it: the frame's own outline, and no other of that SEG."""
    first, *others = read_annotations([tmp_path]).images[0].lesions
    seg = next(s for s in segmented if study[0].SOPInstanceUID in str(s.PerFrameFunctionalGroupsSequence[0]))
    save(highdicom_report(study[0], seg, 1), tmp_path / "sr.dcm")
    (lesion,) = read_annotations([tmp_path]).images[0].lesions
    assert (lesion.lesion_type, lesion.pathology) == ("mass", "malignant")
    assert box(lesion) == box(first)
    assert len(others) == 2


def test_a_group_whose_segmentation_is_not_there_leaves_its_image_out(tmp_path: Path, study: list[Dataset]) -> None:
    written = node_objects(study, "seg")
    seg = next(s for s in written if study[0].SOPInstanceUID in str(s.PerFrameFunctionalGroupsSequence[0]))
    save(highdicom_report(study[0], seg, 1), tmp_path / "sr.dcm")
    (other,) = node_objects(study, "tid1500")
    save(without_groups(other), tmp_path / "sr1.dcm")
    found = read_annotations([tmp_path])
    assert lesions(found) == {"1.dcm": 0, "2.dcm": 0, "3.dcm": 0}
    assert reasons(found) == {"0.dcm": f"{UNDERSTOOD}the SEG with its region is not there, or cannot be read"}


def test_a_segmentation_of_another_size_leaves_its_image_out(tmp_path: Path, study: list[Dataset]) -> None:
    for number, seg in enumerate(node_objects(four_views(rows=240, columns=160), "seg")):
        for groups in seg.PerFrameFunctionalGroupsSequence:
            source = groups.DerivationImageSequence[0].SourceImageSequence[0]
            source.ReferencedSOPInstanceUID = study[0].SOPInstanceUID
        save(seg, tmp_path / f"seg{number}.dcm")
    (report,) = node_objects(study, "tid1500")
    save(without_groups(report), tmp_path / "sr.dcm")
    found = read_annotations([tmp_path])
    assert lesions(found) == {"1.dcm": 0, "2.dcm": 0, "3.dcm": 0}
    assert reasons(found)["seg0.dcm"] == "cannot be read: it has 160 x 240 pixels, unlike its image"
    assert reasons(found)["0.dcm"].startswith("its segmentation seg")


def test_images_of_another_modality_are_named(tmp_path: Path, study: list[Dataset]) -> None:
    study[3].Modality = "CR"
    save(study[3], tmp_path / "3.dcm")
    (report,) = node_objects(study, "tid1500")
    save(report, tmp_path / "sr.dcm")
    found = read_annotations([tmp_path])
    assert lesions(found) == {"0.dcm": 3, "1.dcm": 1, "2.dcm": 1}
    assert reasons(found) == {"3.dcm": "its Modality is CR: only MG images are read"}


def test_an_image_without_a_size_is_named(tmp_path: Path, study: list[Dataset]) -> None:
    (report,) = node_objects(study, "tid1500")
    study[3].Rows = None
    save(study[3], tmp_path / "3.dcm")
    save(report, tmp_path / "sr.dcm")
    found = read_annotations([tmp_path])
    assert lesions(found) == {"0.dcm": 3, "1.dcm": 1, "2.dcm": 1}
    assert reasons(found) == {"3.dcm": "it has no pixels"}


def test_a_closed_polyline_is_an_outline_without_its_last_point(tmp_path: Path, study: list[Dataset]) -> None:
    (report,) = node_objects(study, "tid1500")
    groups = measurements(report).ContentSequence
    groups[:] = [group for group in groups if study[1].SOPInstanceUID in str(group)]
    region = next(item for item in groups[0].ContentSequence if name(item) == "111030")
    region.GraphicData = [10.0, 10.0, 50.0, 10.0, 10.0, 60.0, 10.0, 10.0]
    save(report, tmp_path / "sr.dcm")
    (lesion,) = read_annotations([tmp_path]).images[1].lesions
    assert np.array_equal(lesion.outline, [(10, 10), (50, 10), (10, 60)])
