from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from captionfill.imaging.codec import Picture, read_picture, write_png
from captionfill.imaging.png_writer import encode_png
from tests.helpers.images import noise_pixels

GAMMA = b"\0\0\0\4gAMA\0\0\xb1\x8f\x0b\xfca\5"


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([3, 4]))
def test_pillow_reads_the_same_pixels(height, width, channels):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, channels), np.uint8)
    with Image.open(BytesIO(encode_png(pixels))) as image:
        assert np.array_equal(np.asarray(image), pixels)


def test_profile_and_colour_are_kept():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(BytesIO(encode_png(noise_pixels(64, 64), profile, GAMMA))) as image:
        assert image.info["icc_profile"] == profile
        assert image.info["gamma"] == pytest.approx(0.45455)


def test_alpha_is_written():
    alpha = noise_pixels(64, 64)[..., 0]
    picture = read_picture(write_png(Picture(noise_pixels(64, 64), alpha)), 10_000)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, alpha)


def test_smooth_picture_is_as_small_as_pillows():
    ramp = np.add.outer(np.arange(300), np.arange(400)).astype(np.uint8)
    pixels, theirs = np.stack([ramp] * 3, -1), BytesIO()
    Image.fromarray(pixels).save(theirs, "PNG", compress_level=3)
    assert len(encode_png(pixels)) < 1.5 * len(theirs.getvalue())
