import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import models.geometry
from captionfill.errors import InvalidRegion
from captionfill.imaging import context
from captionfill.imaging.canvas import Canvas
from captionfill.imaging.codec import Picture
from captionfill.imaging.context import extract_context
from captionfill.imaging.region import Region, resolve_region
from tests.helpers.images import noise_pixels

HOLE = slice(16, 48)


@st.composite
def pictures_with_regions(draw):
    """A picture's size and a region that is allowed in it."""
    width, height = draw(st.integers(64, 200)), draw(st.integers(64, 200))
    longest = min(width, height) * 3 // 4
    w, h = draw(st.integers(4, longest)), draw(st.integers(4, longest))
    x, y = draw(st.integers(0, width - w)), draw(st.integers(0, height - h))
    return (height, width), Region(x, y, w, h)


def paste(picture, region, fill, detail="surroundings"):
    return Canvas.of_region(picture, region, detail).composite(fill)


def test_the_geometry_is_that_of_the_networks():
    theirs = models.geometry.SIZE, models.geometry.HOLE, models.geometry.EDGE
    assert theirs == (context.SIZE, context.HOLE, context.EDGE)


def test_64_by_64_image_is_its_own_context():
    rgb = noise_pixels(64, 64)
    cells = extract_context(rgb, resolve_region(None, (64, 64)))
    rgb[HOLE, HOLE] = 0
    assert np.array_equal(cells, rgb)


@pytest.mark.parametrize("place", [(0, 0, 32, 32), (50, 60, 32, 17), (68, 20, 5, 32)])
def test_unscaled_window_is_that_of_the_filter(place, monkeypatch):
    rgb, region = noise_pixels(100, 100), Region(*place)
    cropped = extract_context(rgb, region)
    monkeypatch.setattr(context, "_crop", context._shrink)
    assert np.array_equal(cropped, extract_context(rgb, region))


def test_bands_of_an_image_sum_to_the_whole(monkeypatch):
    rgb, region = noise_pixels(150, 200), Region(40, 3, 90, 70)
    banded = extract_context(rgb, region)
    monkeypatch.setattr(context, "_BAND", 1000)
    whole = extract_context(rgb, region)
    assert np.abs(banded.astype(int) - whole).max() <= 1  # rounding of ties


def test_32_by_32_fill_is_written_unchanged():
    fill = noise_pixels(32, 32, seed=1)
    filled = paste(Picture(noise_pixels(64, 64)), Region(16, 16, 32, 32), fill)
    assert np.array_equal(filled.rgb[HOLE, HOLE], fill)


def test_the_default_region_is_the_central_half():
    assert resolve_region(None, (200, 100)) == Region(75, 25, 50, 50)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(pictures_with_regions())
def test_nothing_in_the_hole_reaches_the_context(case):
    size, region = case
    one, other = noise_pixels(*size), noise_pixels(*size)
    left, top, side, _ = region.hole
    rows = slice(max(0, top), top + side)
    other[rows, max(0, left) : left + side] = noise_pixels(200, 200, seed=9)[0, 0]
    assert np.array_equal(extract_context(one, region), extract_context(other, region))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(pictures_with_regions())
def test_exactly_the_region_is_written(case):
    size, region = case
    rgb = np.full((*size, 3), 7, np.uint8)
    filled = paste(Picture(rgb), region, np.full((32, 32, 3), 200, np.uint8), "none").rgb
    inside = np.zeros(size, bool)
    inside[region.y : region.y + region.height, region.x : region.x + region.width] = True
    assert (filled[inside] == 200).all() and (filled[~inside] == 7).all()


@settings(deadline=None, max_examples=60, derandomize=True)
@given(pictures_with_regions())
def test_flat_image_gives_flat_context_up_to_edge(case):
    size, region = case
    cells = extract_context(np.full((*size, 3), 90, np.uint8), region)
    hole = np.zeros((64, 64), bool)
    hole[HOLE, HOLE] = True
    assert (cells[~hole] == 90).all()


def test_cells_beyond_edge_take_nearest_visible_colour():
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, 40:] = 200
    cells = extract_context(rgb, Region(0, 16, 32, 32))
    assert (cells[20:44, 56:] == 200).all() and (cells[20:44, :16] == 0).all()


def test_a_larger_window_is_averaged_and_not_sampled():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    cells = extract_context(stripes, resolve_region(None, (256, 256)))
    assert abs(cells[:8, 1:63].astype(int) - 128).max() < 5


def test_the_written_region_becomes_opaque():
    picture = Picture(noise_pixels(64, 64), np.zeros((64, 64), np.uint8))
    alpha = paste(picture, Region(16, 16, 32, 32), noise_pixels(32, 32)).alpha
    assert (alpha[HOLE, HOLE] == 255).all() and alpha.sum() == 255 * 32 * 32


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", "nan,0,8,8", "-1,0,8,8", "1.5,0,8,8", "0,0,3,8", "0,0,49,8", "60,0,8,8",
     "0,0,8,8,8", "1e1,0,8,8", "٣,0,8,8", "9999999999,0,8,8", "0;0;8;8", "0,0,8,8\0"],
)  # fmt: skip
def test_a_bad_region_is_refused(text):
    with pytest.raises(InvalidRegion):
        resolve_region(text, (64, 64))
