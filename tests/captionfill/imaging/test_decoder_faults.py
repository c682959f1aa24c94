"""Whatever a decoder raises on an upload is one clear problem, and the log has the reason."""

import logging
import random
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from captionfill.errors import CaptionfillError, PictureTooLarge, UnsupportedPicture
from captionfill.imaging.codec import read_picture, strip_metadata, write_png
from tests.helpers.image_files import icc_profile, png_chunk
from tests.helpers.images import smooth_image

LIMIT = 2**18
RAISED = [
    AttributeError, EOFError, IndexError, KeyError, OSError, OverflowError, RuntimeError,
    SyntaxError, TypeError, ValueError, ZeroDivisionError, struct.error, zlib.error,
]  # fmt: skip
MUTATIONS = 250


@pytest.fixture
def raising(monkeypatch):
    """Let the decoder raise an error."""

    def arrange(error):
        def load(_):
            raise error

        monkeypatch.setattr(ImageFile.ImageFile, "load", load)

    return arrange


@pytest.mark.parametrize("raised", RAISED)
def test_any_error_of_a_decoder_is_a_problem(noise, encode, raising, caplog, raised):
    raising(raised("bad luck"))
    with caplog.at_level(logging.INFO), pytest.raises(UnsupportedPicture, match="broken"):
        read_picture(encode(noise(), "JPEG"), LIMIT)
    assert f"{raised.__name__}: " in caplog.records[-1].reason


def test_lack_of_memory_is_told_as_that(noise, encode, raising):
    raising(MemoryError())
    with pytest.raises(PictureTooLarge, match="memory"):
        read_picture(encode(noise(), "JPEG"), LIMIT)


ODD_EXIF = {
    "negative rational": (0x011A, 10, 1, struct.pack(">I", 38)),
    "text in a number": (0x0128, 2, 4, b"two\0"),
    "text in orientation": (0x0112, 2, 4, b"six\0"),
    "no orientation at all": (0x0112, 3, 0, bytes(4)),
    "orientation of 99": (0x0112, 3, 1, b"\0\x63\0\0"),
    "a directory far away": (0x8769, 4, 1, b"\xff" * 4),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("name", ODD_EXIF)
def test_odd_exif_does_not_matter(noise, encode, kind, name):
    tag, form, count, value = ODD_EXIF[name]
    entry = struct.pack(">HHI", tag, form, count) + value
    odd = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(16)
    assert read_picture(encode(noise(80, 64), kind, exif=odd), LIMIT).size == (80, 64)


@pytest.mark.parametrize("kind", ["JPEG", "progressive", "MPO", "PNG", "P", "WEBP", "lossless"])
def test_mutated_uploads_are_taken_or_refused(encode, kind):
    whole, chance = _file(encode, kind), random.Random(kind)
    taken = 0
    for _ in range(MUTATIONS):
        data = _mutate(whole, chance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                picture = read_picture(data, LIMIT)
            except CaptionfillError as error:
                assert 400 <= error.status < 500 and str(error)
                continue
            taken += 1
            own = strip_metadata(data)
            assert strip_metadata(own) == own and len(own) <= len(data) + 12
            assert np.array_equal(read_picture(own, LIMIT).rgb, picture.rgb)
            assert np.array_equal(read_picture(write_png(picture), LIMIT).rgb, picture.rgb)
    assert 0 < taken < MUTATIONS


def _file(encode, kind):
    image = smooth_image(80, 64)
    exif = Image.Exif()
    exif[0x0112] = 6
    named = {
        "progressive": ("JPEG", {"progressive": True}),
        "lossless": ("WEBP", {"lossless": True}),
        "P": ("PNG", {}),
    }
    name, options = named.get(kind, (kind, {}))
    if kind == "P":
        image = image.convert("P")
    data = encode(image, name, exif=exif, icc_profile=icc_profile(), **options)
    if name == "PNG":
        data = data[:33] + png_chunk(b"gAMA", struct.pack(">I", 100_000)) + data[33:]
    return data


def _mutate(data, chance):
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        # Headers are where decoders go wrong, so half of the changes are there.
        place = chance.randrange(chance.choice([min(400, len(data)), len(data)]))
        data[place] = chance.choice([0, 1, 127, 128, 255, 42])
    end = chance.choice([len(data)] * 5 + [chance.randrange(len(data))])
    return bytes(data[:end]) + chance.choice([b"", b"", b"\xff\xda\xff\xd9", bytes(64)])
