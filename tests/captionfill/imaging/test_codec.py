import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from captionfill.errors import PictureTooLarge, PictureTooSmall, UnsupportedPicture
from captionfill.imaging.codec import read_picture, write_png
from tests.helpers.image_files import png_file

LIMIT = 1_000_000


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_png_round_trip_is_bit_exact(noise, encode, mode):
    data = encode(noise(70, 65, mode))
    again = Image.open(io.BytesIO(write_png(read_picture(data, LIMIT))))
    assert np.array_equal(again, Image.open(io.BytesIO(data))) and again.mode == mode


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1"])
def test_grey_and_palette_pictures_become_rgb_without_loss(noise, encode, mode):
    image = noise().convert(mode)
    picture = read_picture(encode(image), LIMIT)
    assert np.array_equal(picture.rgb, image.convert("RGB"))
    assert (picture.alpha is None) == (mode != "LA")


def test_palette_with_transparent_colour_keeps_its_alpha(noise, encode):
    image = noise().convert("P")
    picture = read_picture(encode(image, transparency=7), LIMIT)
    assert np.array_equal(picture.alpha == 0, np.asarray(image) == 7)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_jpeg_and_webp_are_read(noise, encode, kind):
    assert read_picture(encode(noise(80, 64), kind), LIMIT).size == (80, 64)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_honoured(noise, encode, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = noise(80, 64)
    data = encode(image, kind, exif=exif)
    turned = Image.open(io.BytesIO(data)).convert("RGB").transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(read_picture(data, LIMIT).rgb, turned)


def test_output_carries_colour_profile_but_no_exif(noise, encode):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    data = encode(noise(), icc_profile=profile, exif=exif)
    answer = write_png(read_picture(data, LIMIT))
    assert Image.open(io.BytesIO(answer)).info["icc_profile"] == profile
    assert b"eXIf" not in answer


def test_grey_profile_is_not_passed_to_rgb(noise, encode):
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"GRAY"
    assert read_picture(encode(noise(), icc_profile=bytes(profile)), LIMIT).profile is None


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_sixteen_bit_channels_are_refused(colour):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    rows = (b"\0" + bytes(64 * channels * 2)) * 64
    with pytest.raises(UnsupportedPicture, match="16 bits"):
        read_picture(png_file(64, 64, 16, colour, rows), LIMIT)


def test_cmyk_is_refused_with_what_to_do(noise, encode):
    with pytest.raises(UnsupportedPicture, match="CMYK; convert it"):
        read_picture(encode(noise().convert("CMYK"), "JPEG"), LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(noise, encode, kind):
    data = encode(noise(), kind, save_all=True, append_images=[noise(seed=1)])
    with pytest.raises(UnsupportedPicture, match="animated"):
        read_picture(data, LIMIT)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "JPEG2000"])
def test_other_formats_are_refused(noise, encode, kind):
    with pytest.raises(UnsupportedPicture, match="convert it to one of these"):
        read_picture(encode(noise(), kind), LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.95])
def test_a_truncated_picture_is_refused(noise, encode, kind, part):
    data = encode(noise(), kind)
    with pytest.raises(UnsupportedPicture):
        read_picture(data[: int(len(data) * part)], LIMIT)


def test_too_many_pixels_are_refused_from_the_header():
    with pytest.raises(PictureTooLarge):
        read_picture(png_file(60_000, 60_000, 8, 2, b"\0"), LIMIT)


def test_less_than_64_pixels_are_refused(noise, encode):
    with pytest.raises(PictureTooSmall):
        read_picture(encode(noise(64, 63)), LIMIT)


def test_broken_exif_does_not_spoil_a_good_picture(noise, encode):
    data = encode(noise(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert read_picture(data, LIMIT).size == (64, 64)
