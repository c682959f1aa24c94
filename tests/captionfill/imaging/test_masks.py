import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from captionfill.errors import InvalidMask
from captionfill.imaging.canvas import Canvas
from captionfill.imaging.region import MIN_REGION, Region
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


def test_several_holes_share_one_bounding_region(draw):
    canvas = masked(draw(alpha((10, 10, 5, 5), (40, 30, 5, 5))))
    assert canvas.region == Region(10, 10, 35, 25) and canvas.mask.sum() == 50
    assert [tile.region for tile in canvas.tiles] == [(10, 10, 5, 5), (40, 30, 5, 5)]


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
    canvas = masked(b"", levels, detail="none")
    filled = canvas.composite(np.stack([FILL] * len(canvas.tiles)))
    assert np.array_equal((filled.rgb == 200).all(-1), levels == 0)
    assert np.array_equal(filled.alpha, np.where(levels == 0, 255, levels))
    assert np.array_equal(filled.rgb[levels > 0], PIXELS[levels > 0])


def white(*holes, level=255, **size):
    """A white-on-black mask of the same holes."""
    return np.where(alpha(*holes, **size) == 0, level, 0).astype(np.uint8)


def test_white_and_transparent_masks_are_equal(draw, encode):
    hole = (10, 20, 30, 25)
    transparent, light = masked(draw(alpha(hole))), masked(encode(Image.fromarray(white(hole))))
    assert transparent.region == light.region == hole
    assert np.array_equal(transparent.windows, light.windows)


@pytest.mark.parametrize(("level", "filled"), [(128, True), (127, False)])
def test_half_of_white_is_filled(level, filled):
    mask = white((10, 20, 30, 25), level=level) | white((50, 20, 10, 10))
    assert masked(mask).region.x == (10 if filled else 50)


def test_an_opaque_alpha_channel_means_white(encode):
    mask = Image.fromarray(white((10, 20, 30, 25))).convert("RGBA")
    assert masked(encode(mask)).region == Region(10, 20, 30, 25)


def test_masks_may_be_boolean_arrays():
    assert masked(white((10, 20, 30, 25)) > 0).region == Region(10, 20, 30, 25)


def test_a_soft_alpha_alone_is_empty(draw):
    with pytest.raises(InvalidMask, match="empty"):
        masked(draw(np.maximum(alpha((10, 20, 8, 8)), 1)))


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (white(), "empty"),
        (white((0, 0, 100, 80)), "inverted"),
        (255 - white((30, 20, 30, 30)), "inverted"),
        (white((1, 1, 98, 78)), "hides too much: .* quarter"),
        (white(*((x, y, 4, 4) for x in range(0, 100, 20) for y in range(0, 80, 20))), None),
    ],
)
def test_unusable_mask_is_refused_with_the_reason(mask, words):
    if words is None:  # the control
        assert len(masked(mask).tiles) <= 16
        return
    with pytest.raises(InvalidMask, match=words):
        masked(mask)


def test_a_mask_for_too_many_windows_is_refused():
    mask = np.zeros((64, 4000), bool)
    mask[20:40] = True
    with pytest.raises(InvalidMask, match="more than 16 windows"):
        Canvas.open(np.zeros((64, 4000, 3), np.uint8), mask=mask)


def test_a_mask_of_another_size_is_refused(draw):
    with pytest.raises(InvalidMask, match="100×80"):
        masked(draw(alpha((9, 9, 20, 20), width=99)))


def test_without_mask_or_alpha_the_image_is_refused():
    with pytest.raises(InvalidMask, match="no mask"):
        masked(b"")


def test_a_broken_mask_is_refused():
    with pytest.raises(InvalidMask, match="cannot be read"):
        masked(b"x")
