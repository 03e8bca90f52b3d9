"""Every object of every case before the real validators: no message that is not known and explained."""

import shutil

import highdicom as hd
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import generate_uid

from peers.known_messages import DCIODVFY, DCMPSCHK, DSRDUMP, PIXELMED, unknown
from peers.validators import dciodvfy, dcmpschk, dsrdump, segments_by_dcmqi
from phantoms.results import CASES
from scp.objects.inputs import InvalidObjectError

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(900)]

REPORTS = ("cad-sr", "tid1500", "kos")


def test_the_matrix_is_whole(written):
    """Which objects exist in which case: nothing is left out in silence."""
    kinds = {study: {item.kind for item in written if item.study == study} for study in {w.study for w in written}}
    every = {"cad-sr", "tid1500", "seg", "heatmap", "gsps", "secondary-capture", "pdf", "kos"}
    assert set(CASES) < set(kinds)
    assert len(kinds) == len(CASES) + 1 + 4 + 2 + 1
    assert all(kinds[study] == every for study in kinds.keys() - {"none", "partial-without", "failed", "excluded"})
    assert kinds["none"] == kinds["partial-without"] == {"cad-sr", "tid1500", "heatmap", "secondary-capture", "pdf"}
    assert kinds["failed"] == kinds["excluded"] == {"cad-sr", "tid1500", "pdf"}


def test_dciodvfy_finds_nothing(written):
    found = {f"{w.study}/{w.path.name}": unknown(dciodvfy(w.path), DCIODVFY) for w in written}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_dsrdump_finds_nothing(written):
    found = {f"{w.study}/{w.path.name}": unknown(dsrdump(w.path), DSRDUMP) for w in written if w.kind in REPORTS}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_dcmpschk_finds_nothing(written):
    found = {f"{w.study}/{w.path.name}": unknown(dcmpschk(w.path), DCMPSCHK) for w in written if w.kind == "gsps"}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_pixelmed_finds_nothing(written, templates):
    names = {w.path: f"{w.study}/{w.path.name}" for w in written}
    found = {names[path]: unknown(lines, PIXELMED) for path, lines in templates.items() if path in names}
    assert len(found) >= 2 * (len(CASES) + 4)
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_planted_faults_are_caught(faulty, templates):
    """By one of the three, each of them; otherwise the tests above would prove nothing."""
    silent = [
        name
        for name, path in faulty.items()
        if not (
            unknown(dciodvfy(path), DCIODVFY) or unknown(dsrdump(path), DSRDUMP) or unknown(templates[path], PIXELMED)
        )
    ]
    assert len(faulty) >= 8
    assert silent == []


def test_highdicom_reads_the_reports_again(written):
    expected = {"one": 1, "partial": 1, "calibrated": 1, "none": 0, "partial-without": 0, "failed": 0, "excluded": 0}
    for item in (w for w in written if w.kind == "tid1500"):
        groups = hd.sr.srread(item.path).content.get_planar_roi_measurement_groups()
        assert len(groups) == expected.get(item.study, 5)
        for group in groups:
            names = [measurement.name.meaning for measurement in group.get_measurements()]
            assert (names[0], names[-1]) == ("Certainty of Finding", "Suspicion grade")
            assert group.finding_type.meaning in ("Mammographic breast mass", "Calcification Cluster")


def test_highdicom_reads_every_pixel_of_the_segmentations_again(written):
    """Segments last; a label map comes apart into its segments, a heat map into its modules, 0 to 1."""
    kinds = set()
    for item in (w for w in written if w.kind in ("seg", "heatmap")):
        seg, stored = hd.seg.segread(item.path), pixel_array(item.dataset)
        kinds.add(str(seg.SegmentationType))
        (read,) = seg.get_pixels_by_source_instance([_source_of(seg)], ignore_spatial_locations=True)
        read = np.moveaxis(read, -1, 0)
        if seg.SegmentationType == "LABELMAP":
            stored = np.stack([stored == number for number in seg.segment_numbers])
        elif seg.SegmentationType == "FRACTIONAL":
            stored = stored / 255
        np.testing.assert_allclose(read, stored.reshape(read.shape), atol=1e-6)
        if item.kind == "seg":
            described = {(s.TrackingID, s.TrackingUID) for s in seg.SegmentSequence if "TrackingID" in s}
            assert set(seg.get_tracking_ids()) == described
    assert kinds == {"BINARY", "FRACTIONAL", "LABELMAP"}


def _source_of(seg):
    return seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID


def test_dcmqi_reads_the_pixels_of_the_segmentations(written, tmp_path):
    """dcmqi reads none without a patient's frame, which a mammogram has not: the copy it gets has a made-up one."""
    for item in (w for w in written if w.kind == "seg" and w.study == "many"):
        ds = item.dataset
        _put_made_up_frame(ds)
        ds.save_as(tmp_path / "frame.dcm", enforce_file_format=True)
        labels = [_nrrd(path) for path in segments_by_dcmqi(tmp_path / "frame.dcm", tmp_path / "out")]
        segments = pixel_array(ds).reshape(-1, 200, 160).astype(bool)
        found = np.stack([image == value for image in labels for value in np.unique(image) if value])
        assert sorted(map(bytes, found)) == sorted(map(bytes, segments))
        shutil.rmtree(tmp_path / "out")


def _put_made_up_frame(ds):
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = generate_uid(), ""
    plane, spacing, position = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    spacing.PixelSpacing, spacing.SliceThickness = ["1", "1"], "1"
    position.ImagePositionPatient = ["0", "0", "0"]
    shared = ds.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [spacing]
    for frame in ds.PerFrameFunctionalGroupsSequence:
        frame.PlanePositionSequence = [position]


def _nrrd(path):
    """(rows, columns) of the one slice of a small uncompressed or gzipped NRRD."""
    import gzip

    header, _, data = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line)
    raw = gzip.decompress(data) if fields["encoding"] == "gzip" else data
    kinds = {"unsigned char": np.uint8, "short": np.int16, "unsigned short": np.uint16}
    columns, rows, slices = (int(size) for size in fields["sizes"].split())
    assert slices == 1
    return np.frombuffer(raw, kinds[fields["type"]]).reshape(rows, columns)


def test_our_own_gate_is_no_weaker_than_the_planted_faults(drawn_views, write):
    """A lesion beyond the edge never becomes a file."""
    from phantoms.results import image_result, lesion, study_result

    views = drawn_views[:1]
    result = study_result(
        [image_result(views[0], [lesion("RCC-nodule-1", (159.0, 80.0))])], views[0].StudyInstanceUID
    )
    with pytest.raises(InvalidObjectError, match="outside image"):
        write("outside", views, result)
