from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from captionfill.errors import InvalidField
from captionfill.imaging.codec import Picture
from captionfill.imaging.encoder import JPEG, PNG, WEBP, Encoding
from tests.helpers.images import decode_image, noise_pixels, smooth_image

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("kind", [PNG, WEBP])
def test_lossless_formats_keep_every_pixel(kind):
    rgb, alpha = noise_pixels(70, 90), noise_pixels(70, 90, 1) * np.uint8(255)
    written = decode_image(Encoding(kind).encode(Picture(rgb, alpha)))
    assert np.array_equal(written, np.dstack((rgb, alpha)))


@pytest.mark.parametrize("kind", [PNG, WEBP, JPEG])
def test_every_format_keeps_the_profile(kind):
    picture = Picture(noise_pixels(64, 64), profile=PROFILE)
    with Image.open(BytesIO(Encoding(kind).encode(picture))) as image:
        assert image.get_format_mimetype() == kind
        assert image.info["icc_profile"] == PROFILE


def test_jpeg_follows_its_quality():
    picture = Picture(np.asarray(smooth_image(200, 200)))
    small, large = (Encoding(JPEG, quality).encode(picture) for quality in (30, 95))
    assert len(small) < len(large)
    assert np.abs(decode_image(large).astype(int) - picture.rgb).mean() < 1


def test_jpeg_puts_transparency_on_white_and_says_so():
    picture = Picture(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8))
    assert decode_image(Encoding(JPEG).encode(picture)).min() == 255
    assert ["white" in note for note in Encoding(JPEG).notes(picture)] == [True]
    assert Encoding(WEBP).notes(picture) == ()


def test_lost_colour_information_is_noted():
    picture = Picture(noise_pixels(64, 64), colour=b"gAMA")
    assert [len(Encoding(kind).notes(picture)) for kind in (PNG, WEBP, JPEG)] == [0, 1, 1]


def test_side_beyond_the_format_is_refused():
    Encoding(PNG).check((70_000, 64))
    with pytest.raises(InvalidField, match="16,383"):
        Encoding(WEBP).check((16_384, 64))
