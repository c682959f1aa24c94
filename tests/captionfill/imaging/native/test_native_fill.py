"""Composites at the photo's own size: the hole's edge, detail, plain surroundings, promises."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from captionfill.errors import InvalidField
from captionfill.imaging.canvas import Canvas
from captionfill.imaging.region import Region
from tests.captionfill.imaging.test_canvas import pictures_with_regions
from tests.helpers.images import noise_pixels

FILL = noise_pixels(32, 32, seed=3)
SMOOTH = np.asarray(Image.fromarray(noise_pixels(4, 4, seed=5)).resize((32, 32)))


def texture(size, contrast=25, mean=120):
    """Grain of about two pixels on a grey ground, uint8 `(size, size, 3)`."""
    grain = np.random.default_rng(size).normal(size=(size + 1, size + 1, 1))
    grain = (grain[1:, 1:] + grain[:-1, 1:] + grain[1:, :-1] + grain[:-1, :-1]) / 2
    return np.clip(mean + contrast * np.repeat(grain, 3, 2), 0, 255).astype(np.uint8)


def filled(rgb, fill=FILL, **options):
    canvas = Canvas.open(rgb, **options)
    return canvas.composite(fill).rgb.astype(float), canvas.region.place


def step(rgb, place):
    """Mean absolute step across the top and left edge of a region."""
    top, left = place[0].start, place[1].start
    down = rgb[top, place[1]] - rgb[top - 1, place[1]]
    return np.abs(np.stack([down, rgb[place[0], left] - rgb[place[0], left - 1]])).mean()


def roughness(rgb):
    """Root mean square of the difference between neighbours."""
    return np.sqrt(np.square(np.diff(rgb, axis=0)).mean())


@settings(deadline=None, max_examples=40, derandomize=True)
@given(pictures_with_regions(), st.integers(0, 99))
def test_hidden_pixels_never_matter(case, seed):
    size, region = case
    photo, other = noise_pixels(*size), noise_pixels(*size)
    hidden = other[region.place]
    hidden[:] = noise_pixels(*hidden.shape[:2], seed=seed)
    one, two = (filled(rgb, region=region)[0] for rgb in (photo, other))
    assert np.array_equal(one, two)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(pictures_with_regions())
def test_nothing_outside_the_region_is_written(case):
    size, region = case
    photo = noise_pixels(*size)
    answer, place = filled(photo, region=region)
    answer[place] = photo[place]
    assert np.array_equal(answer, photo)


def test_pixels_under_the_mask_never_matter():
    photo = noise_pixels(200, 200)
    mask = np.full((200, 200, 4), 255, np.uint8)
    round_hole = sum((i - 100) ** 2 for i in np.ogrid[:200, :200]) < 60**2
    mask[round_hole, 3] = 0
    other = photo.copy()
    other[round_hole] = 0
    one, _ = filled(photo, SMOOTH, mask=Image.fromarray(mask))
    two, _ = filled(other, SMOOTH, mask=Image.fromarray(mask))
    assert np.array_equal(one, two) and np.array_equal(one[~round_hole], photo[~round_hole])


def test_pixels_hidden_in_huge_holes_never_matter():
    photo = np.asarray(Image.fromarray(noise_pixels(64, 64)).resize((1501, 1501)))
    other = photo.copy()
    other[101:1202, 203:1304] = 0
    one, place = filled(photo, SMOOTH, region=(203, 101, 1101, 1101))
    two, _ = filled(other, SMOOTH, region=(203, 101, 1101, 1101))
    assert np.array_equal(one, two)
    before, _ = filled(photo, SMOOTH, region=(203, 101, 1101, 1101), detail="none")
    assert step(one, place) < step(before, place) / 2


@pytest.mark.parametrize("size", [100, 224, 512])
def test_fill_meets_its_surroundings_without_edge(size):
    photo = texture(size)
    before, place = filled(photo, SMOOTH, detail="none")
    after, _ = filled(photo, SMOOTH)
    assert step(before, place) > 1.5 * step(photo.astype(float), place)
    assert step(after, place) < 1.1 * step(photo.astype(float), place)


@pytest.mark.parametrize("size", [128, 224, 512])
def test_fill_is_as_fine_as_its_surroundings(size):
    photo = texture(size)
    before, place = filled(photo, SMOOTH, detail="none")
    after, _ = filled(photo, SMOOTH)
    around = roughness(photo[: place[0].start].astype(float))
    assert roughness(before[place]) < 0.5 * around
    assert 0.7 * around < roughness(after[place]) < 1.3 * around


def test_scaled_fill_keeps_its_colours():
    photo = texture(256)
    after, place = filled(photo, SMOOTH)
    wanted = np.asarray(Image.fromarray(SMOOTH).resize((8, 8), Image.Resampling.BOX), float)
    got = after[place].reshape(8, 16, 8, 16, 3).mean((1, 3))
    inner = slice(2, 6)  # the rim is fitted to the photo
    distance = np.abs(got - wanted)[inner, inner].mean()
    assert distance < np.abs(wanted[inner, inner] - 120).mean() / 2


@pytest.mark.parametrize("side", [46, 48, 60])
def test_small_hole_in_plain_surroundings_stays_plain(side):
    photo = texture(512, contrast=2)
    region = 100, 200, side, side
    after, place = filled(photo, SMOOTH, region=region)
    before, _ = filled(photo, SMOOTH, region=region, detail="none")
    assert np.abs(before[place] - photo[place]).mean() > 20
    assert np.abs(after[place] - photo[place]).mean() < 3


def test_large_fill_in_plain_surroundings_keeps_its_content():
    photo = texture(512, contrast=2)
    after, place = filled(photo, SMOOTH)
    assert after[place].std() > 15


def test_photo_is_continued_up_to_its_own_edge():
    photo = texture(200)
    answer, place = filled(photo, SMOOTH, region=(0, 0, 150, 150))
    assert np.abs(answer[149, :150] - answer[150, :150]).mean() < 40
    assert np.isfinite(answer).all() and answer[place].std() > 5


def test_equal_fills_give_equal_composites():
    photo = texture(224)
    one, two = filled(photo), filled(photo)
    assert np.array_equal(one[0], two[0])


def test_other_fills_give_other_composites():
    assert not np.array_equal(filled(texture(224))[0], filled(texture(224), SMOOTH)[0])


def test_detail_none_interpolates_as_before():
    answer, place = filled(texture(200), detail="none")
    expected = Image.fromarray(FILL).resize((100, 100), Image.Resampling.BICUBIC)
    assert np.array_equal(answer[place], np.asarray(expected))


def test_unknown_detail_is_refused():
    with pytest.raises(InvalidField, match="none or surroundings"):
        replace(Canvas.open(texture(64)), detail="more")


@pytest.mark.slow
@pytest.mark.parametrize(("side", "seconds"), [(256, 0.4), (1024, 1.5)])
def test_composites_take_bounded_processor_time(side, seconds):
    canvas = Canvas.open(texture(2 * side))
    start = time.thread_time()
    canvas.composite(SMOOTH)
    assert time.thread_time() - start < seconds


def test_wide_region_is_filled_to_its_ends():
    photo = texture(300)
    answer, place = filled(photo, SMOOTH, region=Region(40, 120, 220, 60))
    around = roughness(photo.astype(float))
    assert 0.6 * around < roughness(answer[place][:, :40]) < 1.3 * around
