import numpy as np
import pytest

from captionfill.imaging.region import Region
from tests.helpers.images import noise_pixels
from training.evaluation.native.measures import (
    fine_detail,
    region_psnr,
    seam_ratio,
    seam_step,
    worst_tenth,
)

REGION = Region(8, 8, 16, 16)


def flat(inside, around=100, size=32):
    photo = np.full((size, size, 3), around, np.uint8)
    photo[REGION.place] = inside
    return photo


def test_seam_step_is_the_border_difference():
    assert seam_step(flat(130), REGION) == 30


def test_seam_step_ignores_the_edge_of_photos():
    photo = np.full((32, 32, 3), 100, np.uint8)
    photo[:16, :16] = 140
    assert seam_step(photo, Region(0, 0, 16, 16)) == 40


def test_seam_ratio_is_to_the_real_photo():
    assert seam_ratio(flat(130), flat(110), REGION) == pytest.approx(3)


def test_flat_border_does_not_divide_by_zero():
    assert seam_ratio(flat(101), flat(100), REGION) == 2


def test_fine_detail_compares_region_and_surroundings():
    photo = noise_pixels(32, 32)
    inside, around = fine_detail(photo, REGION)
    assert 0.7 < inside / around < 1.4
    photo[REGION.place] = 100
    assert fine_detail(photo, REGION)[0] == 0


def test_psnr_is_of_the_region_alone():
    changed = flat(110, around=0)
    assert region_psnr(changed, flat(100), REGION) == pytest.approx(20 * np.log10(25.5))


def test_worst_tenth_is_the_mean_of_the_largest():
    assert worst_tenth(np.arange(20.0)) == 18.5 and worst_tenth(np.array([1.0, 3.0])) == 3
