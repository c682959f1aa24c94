"""Whatever a decoder raises is a PictureError, and odd metadata does not spoil a picture."""

import random
import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from tests.helpers.images import encode_image, smooth_image
from training.common.errors import PictureError
from training.data.image_io import decode_png, square_png

FORMATS = [
    "AVIF", "BMP", "DDS", "GIF", "ICNS", "ICO", "IM", "JPEG", "JPEG2000", "PCX", "PNG", "PPM",
    "QOI", "SGI", "SPIDER", "TGA", "TIFF", "WEBP",
]  # fmt: skip
_RAISED = [
    AttributeError, EOFError, IndexError, KeyError, MemoryError, OSError, OverflowError,
    RuntimeError, SyntaxError, TypeError, ValueError, ZeroDivisionError, struct.error,
]  # fmt: skip


@pytest.fixture
def smooth():
    return smooth_image(80, 64)


def exif(*entries):
    """EXIF of one directory: orientation 6, and entries of tag, type, count and value."""
    entries = [struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0), *entries]
    head = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, len(entries))
    return head + b"".join(entries) + bytes(4) + struct.pack(">ii", -1, 0)


# A rational lies behind the directory: at 8 + 2 + 2 * 12 + 4.
NEGATIVE_RATIONAL = exif(struct.pack(">HHII", 0x011A, 10, 1, 38))
TEXT_IN_NUMBER = exif(struct.pack(">HHI4s", 0x0128, 2, 4, b"two\0"))


@pytest.mark.parametrize("odd", [NEGATIVE_RATIONAL, TEXT_IN_NUMBER, b"Exif\0\0MM\0*\xff\xff"])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_odd_exif_does_not_spoil_a_picture(smooth, odd, kind):
    assert decode_png(square_png(encode_image(smooth, kind, exif=odd), 64)).shape == (64, 64, 3)


def test_orientation_beside_an_odd_rational_is_honoured():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32] = 255
    data = encode_image(Image.fromarray(pixels), "JPEG", exif=NEGATIVE_RATIONAL)
    upright = decode_png(square_png(data, 64))
    assert upright[:30].min() > 200 and upright[34:].max() < 50


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_orientation_in_xmp_is_ignored(smooth, kind):
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    options = {"tiffinfo": {700: xmp}} if kind == "TIFF" else {"xmp": xmp}
    data, plain = encode_image(smooth, kind, **options), encode_image(smooth, kind)
    assert square_png(data, 64) == square_png(plain, 64)


def test_damaged_avif_is_refused_with_the_reason(smooth):
    damaged = encode_image(smooth, "AVIF").replace(b"pitm", b"\x8fitm")  # no primary item
    with pytest.raises(PictureError, match=r"cannot be decoded \(.+\)"):
        square_png(damaged, 64)


@pytest.mark.parametrize("raised", _RAISED)
def test_whatever_a_decoder_raises_is_refused(smooth, monkeypatch, raised):
    def fail(*_):
        raise raised("bad luck")

    monkeypatch.setattr(Image.Image, "convert", fail)
    with pytest.raises(PictureError, match="bad luck"):
        square_png(encode_image(smooth, "PNG"), 64)


@pytest.mark.parametrize("kind", FORMATS)
def test_mutated_files_are_decoded_or_refused(smooth, monkeypatch, kind):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2**18)
    chance = random.Random(kind)
    whole = encode_image(smooth.convert("F") if kind == "SPIDER" else smooth, kind)
    for _ in range(80):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            # Headers are where decoders go wrong, so half of the changes are there.
            end = chance.choice([min(256, len(data)), len(data)])
            data[chance.randrange(end)] = chance.choice(
                [0, 1, 127, 128, 255, chance.randrange(256)]
            )
        with warnings.catch_warnings(record=True) as said:
            try:
                square_png(bytes(data[: chance.choice([len(data), len(data), len(data) // 2])]), 64)
            except PictureError as error:
                assert str(error) and "\n" not in str(error)
        assert not said
