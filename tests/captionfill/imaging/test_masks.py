import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from captionfill.errors import InvalidMask
from captionfill.imaging.canvas import MIN_REGION, Canvas, Region
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


def masked(mask, alpha=None, **options):
    """A canvas with a mask; empty bytes stand for the image's own alpha."""
    image = Image.fromarray(PIXELS)
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    return Canvas.open(image, mask=mask, **options)


def test_transparent_part_of_mask_is_the_region(draw):
    canvas = masked(draw(alpha((10, 20, 30, 25))))
    assert canvas.region == Region(10, 20, 30, 25) and canvas.mask.all()


def test_without_mask_the_image_alpha_is_used():
    assert masked(b"", alpha((10, 20, 8, 8))).region == Region(10, 20, 8, 8)


def test_webp_and_palette_masks_are_read(draw, encode):
    webp = draw(alpha((10, 20, 30, 30)), "WEBP", lossless=True)
    indices = (alpha((10, 20, 30, 30)) > 0).astype(np.uint8)
    palette = Image.fromarray(indices, "P")
    palette.putpalette([0, 0, 0, 9, 9, 9])
    for data in (webp, encode(palette, transparency=0)):
        assert masked(data).region == Region(10, 20, 30, 30)


def test_several_parts_share_one_bounding_region(draw):
    canvas = masked(draw(alpha((10, 10, 5, 5), (40, 30, 5, 5))))
    assert canvas.region == Region(10, 10, 35, 25) and canvas.mask.sum() == 50


def test_a_single_pixel_in_the_corner_is_filled(draw):
    canvas = masked(draw(alpha((99, 79, 1, 1))))
    assert canvas.region == Region(96, 76, MIN_REGION, MIN_REGION)
    changed = (canvas.composite(FILL).rgb != PIXELS).any(-1)
    assert np.argwhere(changed).tolist() == [[79, 99]]


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.data())
def test_exactly_the_fully_transparent_pixels_are_written(data):
    soft = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 4, (80, 100), np.uint8)
    x, y = data.draw(st.integers(0, 60)), data.draw(st.integers(0, 40))
    levels = np.full((80, 100), 255, np.uint8)
    levels[y : y + 40, x : x + 40] = soft[y : y + 40, x : x + 40]
    filled = masked(b"", levels, detail="none").composite(FILL)
    assert np.array_equal((filled.rgb == 200).all(-1), levels == 0)
    assert np.array_equal(filled.alpha, np.where(levels == 0, 255, levels))
    assert np.array_equal(filled.rgb[levels > 0], PIXELS[levels > 0])


@pytest.mark.parametrize(
    ("holes", "words"),
    [([], "fully transparent"), ([(0, 0, 100, 80)], "100×80"),
     ([(0, 0, 2, 2), (98, 78, 2, 2)], "at most 60")],
)  # fmt: skip
def test_unusable_mask_is_refused_with_the_reason(draw, holes, words):
    with pytest.raises(InvalidMask, match=words):
        masked(draw(alpha(*holes)))


def test_a_mask_of_another_size_is_refused(draw):
    with pytest.raises(InvalidMask, match="100×80"):
        masked(draw(alpha((9, 9, 20, 20), width=99)))


def test_a_mask_without_alpha_is_refused(encode):
    with pytest.raises(InvalidMask, match="needs an alpha"):
        masked(encode(Image.new("L", (100, 80))))
    with pytest.raises(InvalidMask, match="no mask"):
        masked(b"")


def test_a_broken_mask_is_refused():
    with pytest.raises(InvalidMask, match="cannot be read"):
        masked(b"x")
