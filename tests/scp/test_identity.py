"""The same image in other clothes is the same; another image, or another patient, is not."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from phantoms.encoding import LOSSY, TRANSFER_SYNTAXES, encoded
from phantoms.mammogram import mammogram, tomosynthesis
from scp.identity import identify, instance_digest, pixel_digest


@pytest.fixture
def of(tmp_path):
    def identity(ds):
        ds.save_as(tmp_path / "x.dcm", enforce_file_format=True)
        return identify(tmp_path / "x.dcm")

    return identity


def _image(bits=12, **overrides):
    fixed = {"sop_uid": "1.2.3", "study_uid": "1.2", "series_uid": "1.2.1", "study_date": "20260101"}
    return mammogram(rows=64, columns=48, bits=bits, **fixed, **overrides)


@pytest.mark.parametrize("syntax", [syntax for syntax in TRANSFER_SYNTAXES if syntax not in LOSSY])
def test_a_lossless_copy_is_the_same(of, syntax):
    assert of(encoded(_image(), syntax)) == of(_image())


def test_decompressing_a_lossy_image_changes_nothing(of):
    lossy = encoded(_image(bits=8), "1.2.840.10008.1.2.4.50")
    plain = _image(bits=8)
    from inference.decoding import stored_words

    plain.PixelData = stored_words(lossy).astype(np.dtype(f"u{plain.BitsAllocated // 8}")).tobytes()
    assert of(plain).instance == of(lossy).instance


def test_what_a_pacs_adds_changes_nothing(of):
    image = _image()
    image.RetrieveAETitle = "PACS"
    image.InstanceCreationTime = "010203"
    image.add_new(0x00091001, "LO", "private")
    image.SpecificCharacterSet = "ISO_IR 100"
    assert of(image) == of(_image())


def test_numbers_are_compared_as_numbers(of):
    image = _image()
    image["ImagerPixelSpacing"].value = [f"{float(value):.6f}" for value in image.ImagerPixelSpacing]
    assert of(image) == of(_image())


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", "OTHER"),
        ("PatientName", "Corrected^Name"),
        ("PatientBirthDate", "19700101"),
        ("StudyDate", "20260102"),
        ("AccessionNumber", "ACC2"),
    ],
)
def test_a_corrected_patient_or_study_keeps_the_scores(of, keyword, value):
    image = _image()
    before = of(image)
    setattr(image, keyword, value)
    after = of(image)
    assert after.scores == before.scores
    assert after.instance != before.instance


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImageLaterality", "L"),
        ("ImagerPixelSpacing", [0.1, 0.1]),
        ("WindowCenter", 17),
        ("PhotometricInterpretation", "MONOCHROME1"),
        ("PresentationLUTShape", "INVERSE"),
        ("PresentationIntentType", "FOR PROCESSING"),
        ("RescaleSlope", 2),
    ],
)
def test_what_scores_depend_on(of, keyword, value):
    image = _image()
    before = of(image)
    setattr(image, keyword, value)
    assert of(image).scores != before.scores


def test_one_pixel(of):
    image = _image()
    before = of(image)
    pixels = bytearray(image.PixelData)
    pixels[1000] ^= 1
    image.PixelData = bytes(pixels)
    assert of(image).scores != before.scores


def test_the_view_inside_a_sequence(of):
    image = _image()
    before = of(image)
    image.ViewCodeSequence[0].CodeValue = "399368009"
    assert of(image).scores != before.scores


def test_unused_bits_do_not_count(of):
    image = _image()
    pixels = np.frombuffer(image.PixelData, "<u2") | 0xF000
    before = of(image)
    image.PixelData = pixels.tobytes()
    assert of(image) == before


@pytest.mark.parametrize("writer", ["US", "OW"])
def test_a_lookup_table_is_its_entries(of, writer):
    def with_table(vr, syntax):
        image = _image()
        item = Dataset()
        item.LUTDescriptor = [4, 0, 12]
        item["LUTDescriptor"].VR = "US"
        entries = [1, 2, 3, 4]
        item.add_new(0x00283006, vr, entries if vr == "US" else np.asarray(entries, "<u2").tobytes())
        image.VOILUTSequence = [item]
        return encoded(image, syntax)

    assert of(with_table(writer, "1.2.840.10008.1.2")) == of(with_table("US", "1.2.840.10008.1.2.1"))


def test_pixels_that_cannot_be_decoded_count_by_their_bytes(of):
    image = _image()
    image.PixelData = image.PixelData[:-100]
    cut = of(image)
    assert cut != of(_image())
    image.PixelData = image.PixelData[:-100]
    assert of(image) != cut
    assert len(pixel_digest(tomosynthesis())) == 64


def test_the_digest_of_a_data_set_is_that_of_its_file(of):
    image = _image()
    assert instance_digest(image) == of(image).instance


def test_a_file_that_cannot_be_read_counts_by_its_bytes(tmp_path):
    (tmp_path / "x.dcm").write_bytes(b"nothing")
    assert identify(tmp_path / "x.dcm") == identify(tmp_path / "x.dcm")
    with pytest.raises(FileNotFoundError):
        identify(tmp_path / "gone.dcm")
