"""Arithmetic on a made-up generator of which it is known what each latent does."""

import pytest
import torch
from torch.testing import assert_close

from training.experiments.latents.latent_sums import (
    EXPECTED,
    MIDDLE,
    Signs,
    add_up,
    attributes,
    jitter,
    share_with_signs,
    standardise,
    strongest,
    triples,
)

ROUNDS = 4


def paint(noise):
    """The first latent is brightness, the second warmth, exactly and without clipping."""
    bright, warm = 128 + 10 * noise[:, 0], 6 * noise[:, 1]
    # Green takes back what red and blue do to luma.
    green = bright + (0.299 * -warm + 0.114 * warm) / 0.587
    colour = torch.stack([bright + warm, green, bright - warm], dim=1)
    return colour.round().clamp(0, 255).byte()[:, :, None, None].expand(-1, -1, 4, 4)


def drawn():
    noise = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    pictures = paint(noise)
    measured = attributes(pictures)
    return noise, pictures, measured, triples(standardise(measured, measured), ROUNDS)


def summed(most_of_it):
    noise, pictures, measured, chosen = drawn()
    around = jitter(ROUNDS, 2, most_of_it, seed=0)
    sums = add_up(paint, noise, pictures, chosen, kind="normal", around=around)
    return sums, noise[chosen].mean(2), measured


def test_groups_are_what_their_names_say():
    noise, _, _, chosen = drawn()
    signs = noise[chosen].sign()
    expected = torch.tensor([[1.0, 1], [-1, 1], [-1, -1]])[None, :, None].expand_as(signs)
    assert_close(signs, expected)
    assert len(set(chosen.flatten().tolist())) == chosen.numel()


def test_sum_of_linear_latents_gives_the_known_picture():
    sums, means, measured = summed(0.0)
    assert_close(sums.middles, paint(means[:, 0] - means[:, 1] + means[:, 2]))
    standard = standardise(attributes(sums.middles), measured)
    assert share_with_signs(standard, EXPECTED) == 1


def test_linear_generator_gives_the_same_sum_in_pixels():
    sums, _, _ = summed(0.0)
    assert int((sums.pixels.int() - sums.middles.int()).abs().max()) <= 2  # rounding


def test_eight_neighbours_are_jittered_around_each_result():
    added = jitter(ROUNDS, 50, 0.25, seed=0)
    assert added[:, MIDDLE].abs().max() == 0
    assert 0.24 < float(added.abs().max()) <= 0.25
    sums, _, _ = summed(0.25)
    assert len(sums.jittered) == 8 * ROUNDS
    assert (sums.jittered.unflatten(0, (ROUNDS, 8)) != sums.middles[:, None]).any()


def test_attributes_are_luma_and_red_less_blue():
    colour = torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert attributes(colour)[0].tolist() == pytest.approx([59.8 + 58.7 + 5.7, 150.0])


def test_attribute_ranking_uses_the_weaker_attribute():
    standard = torch.tensor([[9.0, 0.1], [1, 1], [2, 2], [-3, 3]])
    assert strongest(standard, Signs(1, 1), 2).tolist() == [2, 1]
    assert [share_with_signs(row[None], Signs(-1, 1)) for row in standard] == [0, 0, 0, 1]
