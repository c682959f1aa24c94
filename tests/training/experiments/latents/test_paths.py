"""Ways between latents, and how smooth what they lead to is."""

import pytest
import torch
from torch.testing import assert_close

from models.layers.generator_io import from_normal, to_normal
from training.experiments.latents.paths import (
    contrast,
    evenness,
    levels,
    linear,
    spherical,
    surface,
)

ALONG = torch.linspace(0, 1, 5)


def latents(count, dim=64, seed=0):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def on_sphere(count, radius):
    drawn = latents(count)
    return radius * drawn / drawn.norm(dim=1, keepdim=True)


def test_spherical_path_keeps_norm_and_turns_evenly():
    way = spherical(on_sphere(3, 7.0), on_sphere(6, 7.0)[3:], ALONG)
    assert_close(way.norm(dim=2), torch.full((3, 5), 7.0))
    cosines = torch.nn.functional.cosine_similarity(way[:, :-1], way[:, 1:], dim=2)
    assert_close(cosines, cosines[:, :1].expand(-1, 4))


def test_linear_path_between_normal_latents_loses_norm():
    way = linear(latents(8), latents(8, seed=1), ALONG)
    assert (way[:, 2].norm(dim=1) < 0.85 * way[:, 0].norm(dim=1)).all()


@pytest.mark.parametrize("way", [linear, spherical])
def test_a_way_begins_and_ends_at_its_ends(way):
    start, end = latents(4), 3 * latents(4, seed=1)
    found = way(start, end, ALONG)
    assert_close(found[:, 0], start)
    assert_close(found[:, -1], end)


@pytest.mark.parametrize(
    "end", [torch.ones(1, 8), torch.ones(1, 8) * (1 + 1e-6), -torch.ones(1, 8)]
)
def test_spherical_path_is_finite_for_equal_or_opposite(end):
    assert spherical(torch.ones(1, 8), end, ALONG).isfinite().all()


def test_uniform_noise_path_is_straight_in_network_input():
    start, end = latents(4), latents(4, seed=1)
    seen = from_normal(linear(start, end, ALONG, "uniform"), "uniform")
    assert_close(seen, linear(from_normal(start, "uniform"), from_normal(end, "uniform"), ALONG))


def test_gather_inverts_spread_and_clips_out_of_range():
    noise = latents(2)
    assert_close(to_normal(from_normal(noise, "uniform"), "uniform"), noise, atol=1e-3, rtol=1e-3)
    beyond = to_normal(torch.tensor([[1.7, -3.0]]), "uniform")
    assert_close(from_normal(beyond, "uniform"), torch.tensor([[1.0, -1.0]]), atol=1e-5, rtol=0)


def test_surface_has_its_four_latents_in_its_corners():
    corners = latents(4)
    found = surface(corners, ALONG)
    assert_close(torch.stack([found[0, 0], found[0, -1], found[-1, 0], found[-1, -1]]), corners)


def test_even_path_has_ratio_one_and_jump_shows():
    even = torch.arange(5).mul(10).view(1, 5, 1).float()
    facts = evenness(even, levels)
    assert facts == {"path": 40.0, "straight": 40.0, "largest_over_mean": 1.0}
    jump = torch.tensor([0.0, 0, 0, 40, 40]).view(1, 5, 1)
    assert evenness(jump, levels)["largest_over_mean"] == 4.0


def test_a_way_that_goes_nowhere_has_no_ratio():
    assert evenness(torch.zeros(2, 5, 1), levels)["largest_over_mean"] is None


def test_contrast_of_a_faded_middle_is_below_one():
    ends = torch.tensor([100.0, 200.0]).expand(1, 1, 3, 1, 2)
    middle = torch.tensor([140.0, 160.0]).expand(1, 1, 3, 1, 2)
    assert contrast(torch.cat([ends, middle, ends], dim=1)) == pytest.approx(0.2)
