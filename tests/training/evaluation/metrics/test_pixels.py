import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from models.geometry import centre, hole_mask, paste
from tests.training.evaluation.metrics.images import noise, ramps
from training.evaluation.metrics.pixels import (
    hole_psnr,
    hole_ssim,
    l1_levels,
    seam_gradient,
    seam_ratio,
)


def test_hole_psnr_is_the_librarys_per_picture():
    fills, real = noise(4, 3, 32, 32), noise(4, 3, 32, 32, seed=1)
    expected = [
        peak_signal_noise_ratio(r.numpy(), f.numpy()) for f, r in zip(fills, real, strict=True)
    ]
    assert hole_psnr(fills, real).tolist() == pytest.approx(expected)


def test_identical_fill_scores_as_one_level_off():
    real = noise(1, 3, 32, 32).clamp(0, 254)
    nearly = real.clone()
    nearly[0, 0, 0, 0] += 1
    same = hole_psnr(real, real).item()
    assert same == hole_psnr(nearly, real).item() == pytest.approx(83.0, abs=0.05)


def test_l1_is_in_8_bit_levels_without_overflow():
    black = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    assert l1_levels(black, black + 250).item() == 250


def test_ssim_is_1_for_real_lower_for_noise():
    real = centre(ramps(2))
    assert hole_ssim(real, real).tolist() == pytest.approx([1.0, 1.0])
    assert hole_ssim(noise(2, 3, 32, 32), real).max() < 0.2


def test_the_seam_ratio_of_real_pictures_is_1():
    assert seam_ratio(ramps(2), ramps(2)) == 1


def test_seam_gradient_of_a_ramp_matches_hand_calculation():
    # Half of the pairs lie across columns (one level apart), half along a column (equal).
    assert seam_gradient(ramps(1)) == 0.5


def test_a_pasted_square_has_a_seam():
    white = torch.full((2, 3, 32, 32), 255, dtype=torch.uint8)
    assert seam_ratio(paste(ramps(2), hole_mask(), white), ramps(2)) > 100


def test_flat_real_pictures_give_no_seam_ratio():
    flat = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    assert seam_ratio(ramps(2), flat) is None
