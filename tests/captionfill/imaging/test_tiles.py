from itertools import pairwise
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionfill.errors import InvalidMask
from captionfill.imaging.canvas import Canvas, pack_mask
from captionfill.imaging.codec import write_png
from captionfill.imaging.tiles import MAX_WINDOWS, cover, union
from tests.helpers.images import noise_pixels


@st.composite
def masks(draw):
    """Boxes, strips and scattered pixels in an image of any size."""
    height, width = draw(st.integers(64, 150)), draw(st.integers(64, 300))
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(1, 4))):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        mask[y : y + draw(st.integers(1, 60)), x : x + draw(st.integers(1, 300))] = True
    if draw(st.booleans()):
        mask &= np.random.default_rng(height).integers(0, 2, mask.shape, bool)
    return mask


@settings(deadline=None, max_examples=60, derandomize=True)
@given(masks())
def test_shares_add_up_at_every_hidden_pixel(mask):
    try:
        tiles = cover(mask) if mask.any() else []
    except InvalidMask:
        return
    total = np.zeros(mask.shape, np.float32)
    for tile in tiles:
        down, across = tile.shares
        total[tile.region.place] += down[:, None] * across
    assert np.allclose(total[mask], 1, atol=1e-5) and len(tiles) <= MAX_WINDOWS


@settings(deadline=None, max_examples=25, derandomize=True)
@given(masks(), st.integers(0, 255))
def test_hidden_pixels_are_not_read(mask, level):
    one = noise_pixels(*mask.shape, high=200)
    other = np.where(mask[..., None], np.uint8(level), one)
    try:
        windows = Canvas.open(one, mask=mask).windows
    except InvalidMask:
        return
    assert np.array_equal(windows, Canvas.open(other, mask=mask).windows)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(masks())
def test_exactly_the_mask_is_written(mask):
    image = noise_pixels(*mask.shape, high=100)
    try:
        canvas = Canvas.open(image, mask=mask, detail="none")
    except InvalidMask:
        return
    [filled] = canvas.composites(np.full((len(canvas.tiles), 32, 32, 3), 200, np.uint8))
    assert (filled.rgb[mask] == 200).all() and np.array_equal(filled.rgb[~mask], image[~mask])


def test_a_strip_is_filled_by_overlapping_squares():
    mask = np.zeros((200, 400), bool)
    mask[80:110, :] = True
    regions = [tile.region for tile in cover(mask)]
    assert (regions[0].x, regions[-1].x + regions[-1].width) == (0, 400)
    assert {(one.y, one.height, one.width) for one in regions} == {(80, 30, 75)}
    assert all(b.x < a.x + a.width for a, b in pairwise(regions))


def test_overlapping_fills_fade_into_each_other():
    mask = np.zeros((100, 150), bool)
    mask[40:60, 10:90] = True
    canvas = Canvas.open(np.zeros((100, 150, 3), np.uint8), mask=mask, detail="none")
    fills = np.zeros((len(canvas.tiles), 32, 32, 3), np.uint8)
    fills[1:] = 200
    line = canvas.composite(fills).rgb[50, 10:90, 0].astype(int)
    assert len(canvas.tiles) == 2 and (line[0], line[-1]) == (0, 200)
    assert 0 < np.diff(line).max() < 60 and (np.diff(line) >= 0).all()


def test_a_thin_diagonal_gets_small_squares():
    mask = np.eye(300, dtype=bool)
    mask |= np.roll(mask, 1, 1)
    mask[:, 0] = False
    assert max(tile.region.width for tile in cover(mask)) <= 64


def test_one_hole_is_filled_as_its_region():
    image = noise_pixels(120, 200)
    mask = np.zeros((120, 200), bool)
    mask[30:70, 50:130] = True
    by_mask, by_region = Canvas.open(image, mask=mask), Canvas.open(image, (50, 30, 80, 40))
    fill = noise_pixels(32, 32)[None]
    assert np.array_equal(by_mask.windows, by_region.windows)
    assert write_png(by_mask.composite(fill)) == write_png(by_region.composite(fill))


def test_boxes_are_at_least_four_pixels():
    mask = np.zeros((80, 90), bool)
    mask[79, 89] = True
    assert union(cover(mask)) == (86, 76, 4, 4)


@settings(deadline=None, max_examples=10, derandomize=True)
@given(masks(), st.integers(0, 255))
def test_detail_reads_no_hidden_pixel(mask, level):
    one = noise_pixels(*mask.shape, high=200)
    other = np.where(mask[..., None], np.uint8(level), one)
    try:
        canvas = Canvas.open(one, mask=mask)
    except InvalidMask:
        return
    fills = noise_pixels(32 * len(canvas.tiles), 32).reshape(-1, 32, 32, 3)
    first, second = canvas.composite(fills), Canvas.open(other, mask=mask).composite(fills)
    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.rgb[~mask], one[~mask])


def test_large_masks_are_covered_quickly():
    mask = np.zeros((4000, 4000), bool)
    mask[::12, :2000:12] = True  # sixty thousand holes
    started = process_time()
    with pytest.raises(InvalidMask):
        cover(mask | np.tri(4000, dtype=bool))
    assert len(cover(mask)) <= MAX_WINDOWS
    assert process_time() - started < 3


def test_a_packed_mask_gives_an_equal_canvas():
    image = noise_pixels(100, 150)
    mask = np.zeros((100, 150), bool)
    mask[40:60, 10:90], mask[3:6, 120:140] = True, True
    first = Canvas.open(image, mask=mask)
    again = Canvas.open(image, mask=pack_mask(first))
    assert np.array_equal(first.windows, again.windows) and first.region == again.region
    assert np.array_equal(first.mask, again.mask)
