"""What is not pixels is skipped, whatever it holds; pixels that are missing are not made up."""

import io

import numpy as np
import pytest
from PIL import Image

from captionfill.errors import UnsupportedPicture
from captionfill.imaging.codec import read_picture, strip_metadata
from tests.helpers.image_files import (
    JPEG_END,
    compressed_chunk,
    jpeg_segment,
    png_chunk,
    png_file,
    webp_chunk,
    with_segments,
    with_webp_chunks,
)
from tests.helpers.images import smooth_image

LIMIT = 1_000_000
TRAILERS = {
    "markers of scans": b"\xff\xda" * 1000,
    "a video": b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 64,
    "a script": b"<?php evil(); ?>",
    "zeros": bytes(5000),
}
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/'
    b'1.0/" tiff:Orientation="6"/></x:xmpmeta>'
)


@pytest.fixture
def smooth():
    return smooth_image(120, 96)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "MPO"])
@pytest.mark.parametrize("trailer", TRAILERS)
def test_bytes_behind_the_end_do_not_matter(smooth, encode, kind, trailer):
    data = encode(smooth, kind)
    found = read_picture(data + TRAILERS[trailer], LIMIT)
    assert np.array_equal(found.rgb, read_picture(data, LIMIT).rgb)
    assert strip_metadata(data + TRAILERS[trailer]) == strip_metadata(data)


def test_vendor_segments_may_hold_any_bytes(smooth, encode):
    data = encode(smooth, "JPEG")
    vendor = [
        jpeg_segment(marker, b"\xff\xda\xff\xd9" * 2000) for marker in (0xE4, 0xEB, 0xED, 0xFE)
    ]
    found = read_picture(with_segments(data, *vendor), LIMIT)
    assert np.array_equal(found.rgb, np.asarray(Image.open(io.BytesIO(data))))


def test_scans_of_a_thousand_are_refused(smooth, encode):
    data = encode(smooth, "JPEG", progressive=True)
    again = data[data.rindex(b"\xff\xda") : -2]
    assert read_picture(data[:-2] + again * 20 + JPEG_END, LIMIT)
    with pytest.raises(UnsupportedPicture, match="scans"):
        read_picture(data[:-2] + again * 1000 + JPEG_END, LIMIT)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_png_metadata_that_inflates_is_skipped(kind):
    data = png_file(extra=compressed_chunk(kind, 20_000_000))
    assert read_picture(data, LIMIT).size == (64, 64)
    assert len(strip_metadata(data)) == len(png_file())


def test_damaged_metadata_of_png_is_skipped():
    broken = png_chunk(b"iTXt", b"x")[:-4] + b"crc!"
    assert read_picture(png_file(extra=broken + png_chunk(b"tEXt", b"\xff" * 70000)), LIMIT)


def test_png_truncated_in_metadata_after_pixels_is_accepted(smooth, encode):
    data = encode(smooth)[:-12] + png_chunk(b"tEXt", b"Comment\0a cat")[:-9]
    assert np.array_equal(read_picture(data, LIMIT).rgb, smooth)
    assert np.array_equal(Image.open(io.BytesIO(strip_metadata(data))), smooth)


def test_critical_png_chunks_must_be_whole():
    broken = png_chunk(b"PLTE", bytes(3))[:-4] + b"crc!"
    with pytest.raises(UnsupportedPicture, match="broken"):
        read_picture(png_file(extra=broken), LIMIT)


def test_webp_metadata_is_skipped(smooth, encode):
    data = encode(smooth, "WEBP", lossless=True, exif=b"Exif\0\0", xmp=XMP)
    more = with_webp_chunks(data, webp_chunk(b"JUNK", bytes(99_999)), webp_chunk(b"XMP ", XMP))
    assert np.array_equal(read_picture(more, LIMIT).rgb, smooth)
    stripped = strip_metadata(more)
    assert len(stripped) < len(data) and strip_metadata(stripped) == stripped


@pytest.mark.parametrize(
    "data",
    [
        png_file(extra=png_chunk(b"tEXt", b"") * 70_000),
        b"\xff\xd8" + jpeg_segment(0xFE, b"") * 5_000 + JPEG_END,
        with_webp_chunks(b"RIFF\0\0\0\0WEBP", webp_chunk(b"JUNK", b"") * 20_000),
    ],
    ids=["PNG", "JPEG", "WebP"],
)
def test_files_of_endless_parts_are_refused(data):
    with pytest.raises(UnsupportedPicture, match="parts"):
        read_picture(data, LIMIT)


OPTIONS = [
    {},
    {"progressive": True},
    {"quality": 95, "subsampling": 0},
    {"restart_marker_rows": 1},
    {"optimize": True},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("missing", [1, 2])
def test_jpeg_without_its_end_marker_is_filled(smooth, encode, options, mode, missing):
    data = encode(smooth.convert(mode), "JPEG", **options)
    found = read_picture(data[:-missing], LIMIT)
    assert np.array_equal(found.rgb, read_picture(data, LIMIT).rgb)
    assert strip_metadata(data[:-missing]) == strip_metadata(data)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("missing", [3, 4, 8, 50, 300])
def test_jpeg_cut_in_its_last_scan_is_refused(smooth, encode, options, missing):
    data = encode(smooth, "JPEG", **options)
    with pytest.raises(UnsupportedPicture, match="cut short"):
        read_picture(data[:-missing], LIMIT)


def test_jpeg_cut_between_two_scans_is_refused(smooth, encode):
    data = encode(smooth, "JPEG", progressive=True)
    with pytest.raises(UnsupportedPicture, match="cut short"):
        read_picture(data[: data.rindex(b"\xff\xda")], LIMIT)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_in_xmp_is_ignored(smooth, encode, kind):
    options = {"pnginfo": _itxt(XMP)} if kind == "PNG" else {"xmp": XMP}
    assert read_picture(encode(smooth, kind, **options), LIMIT).size == smooth.size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_stripping_keeps_orientation_and_profile(smooth, encode, kind):
    exif = Image.Exif()
    exif[0x0112] = 8
    data = encode(smooth, kind, exif=exif, icc_profile=bytes(16) + b"RGB " + bytes(200))
    before, after = read_picture(data, LIMIT), read_picture(strip_metadata(data), LIMIT)
    assert after.size == (96, 120) and after.profile == before.profile is not None
    assert np.array_equal(before.rgb, after.rgb)


def test_twelve_bit_jpeg_is_named_as_that(smooth, encode):
    data = bytearray(encode(smooth, "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnsupportedPicture, match="12 bits"):
        read_picture(bytes(data), LIMIT)


def _itxt(xmp):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return info
