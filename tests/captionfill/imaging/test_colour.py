"""Colour information is kept in the answer, or the details say that it is not."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from captionfill.imaging.canvas import Canvas
from captionfill.imaging.codec import read_picture, write_png
from tests.helpers.image_files import grey_icc_profile, icc_profile, png_chunk, png_file

LIMIT = 1_000_000
GAMMA = png_chunk(b"gAMA", struct.pack(">I", 100_000))
PRIMARIES = 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000
CHUNKS = {
    "gAMA": GAMMA,
    "cHRM": png_chunk(b"cHRM", struct.pack(">8I", *PRIMARIES)),
    "sRGB": png_chunk(b"sRGB", b"\0"),
    "cICP": png_chunk(b"cICP", bytes([12, 13, 0, 1])),
    "mDCV": png_chunk(b"mDCV", bytes(24)),
    "cLLI": png_chunk(b"cLLI", bytes(8)),
}  # fmt: skip
CMYK = icc_profile(b"CMYK")


def answered(data):
    return write_png(read_picture(data, LIMIT))


@pytest.mark.parametrize("name", CHUNKS)
def test_colour_chunks_are_kept(name):
    answer = answered(png_file(extra=CHUNKS[name]))
    assert CHUNKS[name] in answer
    assert answer.index(CHUNKS[name]) < answer.index(b"IDAT")
    Image.open(io.BytesIO(answer)).load()


def test_a_profile_comes_without_srgb_beside_it(noise, encode):
    icc = icc_profile()
    data = encode(noise(), icc_profile=icc)
    answer = answered(data[:33] + CHUNKS["sRGB"] + GAMMA + data[33:])
    assert Image.open(io.BytesIO(answer)).info["icc_profile"] == icc
    assert b"sRGB" not in answer and GAMMA in answer


@pytest.mark.parametrize(
    "damaged",
    [
        GAMMA[:-1] + b"?",
        png_chunk(b"gAMA", b"\0"),
        png_chunk(b"cICP", b""),
        png_chunk(b"iCCP", b"x\0\0junk"),
    ],
)
def test_damaged_colour_information_is_told(damaged):
    picture = read_picture(png_file(extra=damaged), LIMIT)
    assert len(picture.notes) == 1 and "damaged" in picture.notes[0]
    assert picture.colour == b"" and picture.profile is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [200_000, 2**20])
def test_large_profiles_are_kept(noise, encode, kind, size):
    icc = icc_profile()
    icc += bytes(size - len(icc))
    picture = read_picture(encode(noise(), kind, icc_profile=icc), LIMIT)
    assert (picture.profile, picture.notes) == (icc, ())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_profiles_over_a_mebibyte_are_told(noise, encode, kind):
    icc = icc_profile() + bytes(2**20)
    picture = read_picture(encode(noise(), kind, icc_profile=icc), LIMIT)
    assert picture.profile is None
    assert len(picture.notes) == 1 and "1,048,576" in picture.notes[0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.6])
def test_a_grey_profile_looks_the_same_for_rgb(noise, encode, kind, gamma):
    grey = grey_icc_profile(gamma)
    ramp = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (64, 1)))
    picture = read_picture(encode(ramp, kind, icc_profile=grey), LIMIT)
    assert picture.notes == () and picture.profile[16:20] == b"RGB "
    levels = Image.fromarray(picture.rgb)
    wanted = as_srgb(Image.fromarray(picture.rgb[..., 0]), grey)
    seen = as_srgb(levels, picture.profile)
    assert np.abs(np.subtract(wanted, seen, dtype=int)).max() <= 2


def test_a_grey_profile_of_lab_is_told(noise, encode):
    lab = grey_icc_profile(2.2, b"Lab ")
    picture = read_picture(encode(noise().convert("L"), icc_profile=lab), LIMIT)
    assert picture.profile is None and "grey colour profile" in picture.notes[0]


def test_a_profile_for_other_colour_is_told(noise, encode):
    picture = read_picture(encode(noise(), "JPEG", icc_profile=CMYK), LIMIT)
    assert picture.profile is None and "CMYK colour" in picture.notes[0]


def test_the_networks_see_linear_levels_as_srgb():
    rows = (b"\0" + bytes([55]) * 192) * 64
    canvas = Canvas.open(png_file(rows=rows, extra=GAMMA), None, LIMIT)
    assert canvas.windows[0, 0, 0, 0] == round(255 * (55 / 255) ** (1 / 2.2))
    [answer] = canvas.composite_pngs(np.tile(canvas.windows[0, 0, 0], (1, 32, 32, 1)))
    assert np.abs(np.asarray(Image.open(io.BytesIO(answer)), int) - 55).max() <= 1


@pytest.mark.parametrize("gamma", [0, 1, 45_455, 2**31])
def test_usual_and_absurd_gammas_change_no_level(gamma):
    extra = png_chunk(b"gAMA", struct.pack(">I", gamma))
    canvas = Canvas.open(png_file(rows=(b"\0" + bytes([55]) * 192) * 64, extra=extra), None, LIMIT)
    assert canvas.windows[0, 0, 0, 0] == 55


def as_srgb(image, icc):
    """How a picture looks by a profile, as sRGB levels."""
    srgb = ImageCms.createProfile("sRGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    # Little CMS is off by ten dark levels for linear grey where it may optimise.
    exact = ImageCms.Flags.NOOPTIMIZE
    return np.asarray(ImageCms.profileToProfile(image, source, srgb, outputMode="RGB", flags=exact))
