import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from models.geometry import centre
from tests.training.metrics.images import noise, ramps
from training.metrics.pixels import hole_psnr, hole_ssim, l1_levels


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
