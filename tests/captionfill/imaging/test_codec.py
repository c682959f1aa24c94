import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms

from captionfill.errors import PictureTooLarge, PictureTooSmall, UnsupportedPicture
from captionfill.imaging.codec import read_picture, write_png
from tests.helpers.image_files import png_file
from tests.helpers.images import smooth_image

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
def test_sixteen_bits_are_reduced_with_a_note(colour):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    rows = (b"\0" + bytes([200, 90]) * 64 * channels) * 64
    picture = read_picture(png_file(64, 64, 16, colour, rows), LIMIT)
    assert (picture.rgb == 200).all() and "16 to 8 bits" in picture.notes[0]


def test_cmyk_is_converted_with_a_note(noise, encode):
    cmyk = noise().convert("CMYK")
    picture = read_picture(encode(cmyk, "JPEG", quality=95), LIMIT)
    apart = np.abs(picture.rgb.astype(int) - np.asarray(cmyk.convert("RGB")))
    assert apart.mean() < 20 and "CMYK to RGB" in picture.notes[0]


def test_avif_is_read(smooth, encode):
    picture = read_picture(encode(smooth, "AVIF", quality=90), LIMIT)
    assert np.abs(picture.rgb.astype(int) - np.asarray(smooth)).mean() < 4


def test_the_first_frame_of_gifs_is_read(encode):
    red, blue = (Image.new("RGB", (80, 70), name) for name in ("red", "blue"))
    still = read_picture(encode(red, "GIF"), LIMIT)
    moving = read_picture(encode(red, "GIF", save_all=True, append_images=[blue]), LIMIT)
    assert np.array_equal(moving.rgb, still.rgb) and (still.rgb == (255, 0, 0)).all()
    assert still.notes == () and "first frame" in moving.notes[0]


def test_heic_is_read_where_it_is_installed(smooth, encode, monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    data = encode(smooth, "HEIF", quality=90)
    assert np.abs(read_picture(data, LIMIT).rgb.astype(int) - np.asarray(smooth)).mean() < 6
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedPicture, match=r"captionfill\[heic\]"):
        read_picture(data, LIMIT)


@pytest.mark.parametrize("kind", ["AVIF", "GIF", "HEIF"])
def test_limits_hold_for_every_format(encode, kind):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    with pytest.raises(PictureTooLarge):
        read_picture(encode(Image.new("RGB", (200, 100)), kind), 19_999)
    with pytest.raises(PictureTooSmall):
        read_picture(encode(Image.new("RGB", (200, 60)), kind), LIMIT)
    whole = encode(Image.effect_noise((100, 100), 50).convert("RGB"), kind)
    with pytest.raises(UnsupportedPicture):
        read_picture(whole[: len(whole) // 2], LIMIT)


@pytest.fixture
def smooth():
    return smooth_image(96, 80)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(noise, encode, kind):
    data = encode(noise(), kind, save_all=True, append_images=[noise(seed=1)])
    with pytest.raises(UnsupportedPicture, match="animated"):
        read_picture(data, LIMIT)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM", "JPEG2000"])
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
