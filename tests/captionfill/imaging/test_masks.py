import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from captionfill.errors import InvalidMask
from captionfill.imaging.codec import Picture
from captionfill.imaging.geometry import MIN_REGION, Region, paste_fill
from captionfill.imaging.masks import read_mask
from tests.helpers.images import noise_pixels

FILL = np.full((32, 32, 3), 200, np.uint8)

PIXELS = noise_pixels(80, 100, high=100)


def alpha(*holes, height=80, width=100):
    """Opaque but for some holes, each x, y, width, height."""
    found = np.full((height, width), 255, np.uint8)
    for x, y, w, h in holes:
        found[y : y + h, x : x + w] = 0
    return found


@pytest.fixture
def draw(encode):
    """A mask file with the alpha."""

    def make(alpha, kind="PNG", **options):
        image = Image.fromarray(np.zeros((*alpha.shape, 3), np.uint8))
        image.putalpha(Image.fromarray(alpha))
        return encode(image, kind, **options)

    return make


def test_transparent_part_of_mask_is_the_region(draw):
    mask = read_mask(draw(alpha((10, 20, 30, 25))), Picture(PIXELS), 10**6)
    assert mask.region == Region(10, 20, 30, 25) and mask.hole.all()


def test_without_mask_the_image_alpha_is_used():
    mask = read_mask(None, Picture(PIXELS, alpha((10, 20, 8, 8))), 10**6)
    assert mask.region == Region(10, 20, 8, 8)


def test_webp_and_palette_masks_are_read(draw, encode):
    webp = draw(alpha((10, 20, 30, 30)), "WEBP", lossless=True)
    indices = (alpha((10, 20, 30, 30)) > 0).astype(np.uint8)
    palette = Image.fromarray(indices, "P")
    palette.putpalette([0, 0, 0, 9, 9, 9])
    for data in (webp, encode(palette, transparency=0)):
        assert read_mask(data, Picture(PIXELS), 10**6).region == Region(10, 20, 30, 30)


def test_several_parts_share_one_bounding_region(draw):
    mask = read_mask(draw(alpha((10, 10, 5, 5), (40, 30, 5, 5))), Picture(PIXELS), 10**6)
    assert mask.region == Region(10, 10, 35, 25) and mask.hole.sum() == 50


def test_a_single_pixel_in_the_corner_is_filled(draw):
    picture = Picture(PIXELS)
    mask = read_mask(draw(alpha((99, 79, 1, 1))), picture, 10**6)
    filled = mask.restore(picture, paste_fill(picture, mask.region, FILL))
    assert mask.region == Region(96, 76, MIN_REGION, MIN_REGION)
    assert np.argwhere((filled.rgb != picture.rgb).any(-1)).tolist() == [[79, 99]]


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.data())
def test_exactly_the_fully_transparent_pixels_are_written(data):
    soft = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 4, (80, 100), np.uint8)
    x, y = data.draw(st.integers(0, 60)), data.draw(st.integers(0, 40))
    levels = np.full((80, 100), 255, np.uint8)
    levels[y : y + 40, x : x + 40] = soft[y : y + 40, x : x + 40]
    picture = Picture(PIXELS, levels)
    mask = read_mask(None, picture, 10**6)
    filled = mask.restore(picture, paste_fill(picture, mask.region, FILL))
    assert np.array_equal((filled.rgb == 200).all(-1), levels == 0)
    assert np.array_equal(filled.alpha, np.where(levels == 0, 255, levels))
    assert np.array_equal(filled.rgb[levels > 0], picture.rgb[levels > 0])


@pytest.mark.parametrize(
    ("holes", "words"),
    [([], "fully transparent"), ([(0, 0, 100, 80)], "100×80"),
     ([(0, 0, 2, 2), (98, 78, 2, 2)], "at most 60")],
)  # fmt: skip
def test_unusable_mask_is_refused_with_the_reason(draw, holes, words):
    with pytest.raises(InvalidMask, match=words):
        read_mask(draw(alpha(*holes)), Picture(PIXELS), 10**6)


def test_a_mask_of_another_size_is_refused(draw):
    with pytest.raises(InvalidMask, match="100×80"):
        read_mask(draw(alpha((9, 9, 20, 20), width=99)), Picture(PIXELS), 10**6)


def test_a_mask_without_alpha_is_refused(encode):
    with pytest.raises(InvalidMask, match="needs an alpha"):
        read_mask(encode(Image.new("L", (100, 80))), Picture(PIXELS), 10**6)
    with pytest.raises(InvalidMask, match="no mask"):
        read_mask(None, Picture(PIXELS), 10**6)


def test_a_broken_mask_is_refused():
    with pytest.raises(InvalidMask, match="cannot be read"):
        read_mask(b"x", Picture(PIXELS), 10**6)
