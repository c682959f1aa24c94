"""Each guard fires on the trouble it is named after, and not on pictures that have none."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from training.monitors.base import Observation
from training.monitors.monitor_set import MonitorSettings
from training.monitors.state_monitors import LossSpike

GUARDS = MonitorSettings().enabled_monitors()


def says(guard, fills, reals, figures=None, past=None, **more):
    seen = Observation(1000, figures or {}, fills, reals, **more)
    return GUARDS[guard].check(seen, past or {})


def noise(shape, size):
    return size * torch.randn(shape, generator=torch.Generator().manual_seed(1))


def blurred(pictures):
    coarse = avg_pool2d(pictures, 8)
    return interpolate(coarse, scale_factor=8, mode="bilinear")


@pytest.mark.parametrize("guard", ["collapse", "saturation", "greyness", "checkerboard"])
def test_other_real_pictures_are_no_trouble(guard, photos):
    reals, others = photos
    assert says(guard, others, reals) is None


@pytest.mark.parametrize("guard", ["collapse", "saturation", "greyness", "checkerboard"])
def test_a_blur_is_not_yet_trouble(guard, photos):
    reals, others = photos
    assert says(guard, blurred(others), reals) is None


@pytest.mark.parametrize("modes", [1, 4])
def test_fills_of_a_few_modes_are_a_collapse(modes, photos):
    reals, others = photos
    fills = others[torch.arange(64) % modes] + noise(reals.shape, 0.02)
    assert says("collapse", fills, reals).startswith("mode collapse: a fill is 0.0")


def test_flat_fills_of_the_right_colour_are_grey(photos):
    reals, _ = photos
    fills = reals.mean(dim=(2, 3), keepdim=True) + noise(reals.shape, 0.03)
    assert says("greyness", fills, reals).startswith("grey fills")


def test_patches_at_the_limit_are_saturated_blobs(photos):
    reals, others = photos
    assert says("saturation", (6 * others).clamp(-1, 1), reals).startswith("saturated blobs")


def test_scattered_extremes_are_no_blobs(photos):
    reals, others = photos
    assert says("saturation", others + noise(reals.shape, 2.0).clamp(-1, 1), reals) is None


@pytest.mark.parametrize("stride", [2, 4])
def test_an_uneven_transposed_convolution_leaves_a_checkerboard(stride, photos):
    reals, others = photos
    torch.manual_seed(0)
    up = torch.nn.ConvTranspose2d(3, 3, stride + 1, stride, bias=False)
    with torch.no_grad():
        fills = up(avg_pool2d(others, stride))[:, :, :32, :32].tanh()
    assert says("checkerboard", fills, reals).startswith("checkerboard")


def test_checkerboard_of_five_levels_is_seen_on_photos(photos):
    reals, others = photos
    board = (torch.arange(32) + torch.arange(32)[:, None]) % 2 * 2.0 - 1
    assert says("checkerboard", others + 0.04 * board, reals).startswith("checkerboard")


@pytest.mark.parametrize(("k", "where"), [(0.0, "stuck at 0"), (1.0, "stuck at 1")])
def test_k_at_an_end_is_stuck(k, where, photos):
    assert where in says("balance", *photos, {"state/k": k})


@pytest.mark.parametrize("figures", [{"state/k": 0.003}, {"state/k": 0.99}, {}])
def test_k_within_its_range_or_absent_is_fine(figures, photos):
    assert says("balance", *photos, figures) is None


USUAL = {"generator": [1.0, 1.3, 0.8, 1.1, 0.9, 1.2, 1.0, 1.1]}


def test_loss_far_above_its_recent_range_is_jump(photos):
    figures = {"generator/l2": 1.0, "generator/adversarial": 4.0}
    assert "generator's is 5" in says("jump", *photos, figures, USUAL)


@pytest.mark.parametrize("loss", [2.0, 0.0, -5.0])
def test_bad_batch_or_falling_loss_is_no_jump(loss, photos):
    assert says("jump", *photos, {"generator/l2": loss}, USUAL) is None


def test_a_settled_loss_may_stir():
    assert LossSpike().limit([0.001] * 20) > 0.4


def test_critic_weights_at_the_clip_are_pinned(photos):
    weights = [torch.tensor([0.01, -0.01, 0.01, -0.01, 0.01]), torch.full((4,), -0.01)]
    message = says("clipping", *photos, critic_weights=weights, clip=0.01)
    assert message == "critic weights pinned: 100% lie at the clip of 0.01"


def test_critic_weights_within_the_clip_are_not_pinned(photos):
    weights = [noise((64, 64), 0.005).clamp(-0.01, 0.01)]
    assert says("clipping", *photos, critic_weights=weights, clip=0.01) is None
    assert says("clipping", *photos, critic_weights=weights) is None
