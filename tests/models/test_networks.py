"""Shapes and conditions of the networks."""

import pytest
import torch

from models.discriminators.convolutional import ConvDiscriminator, ConvSettings
from models.generators.squeezenet import SqueezeNetGenerator, SqueezeNetSettings
from models.geometry import hole_mask
from models.layers.encoders import Fire

SMALL = SqueezeNetSettings(caption_dim=12, caption_code=8, noise_dim=4, width=8, decoder_width=8)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return SqueezeNetGenerator(SMALL).eval()


def inputs(count=2):
    rng = torch.Generator().manual_seed(1)
    return (
        torch.rand(count, 3, 64, 64, generator=rng),
        hole_mask(count),
        torch.randn(count, 12, generator=rng),
        torch.randn(count, 4, generator=rng),
    )


@torch.no_grad()
def test_a_generator_writes_the_centre_within_range(generator):
    fill = generator(*inputs())
    assert fill.shape == (2, 3, 32, 32)
    assert fill.abs().max() <= 1


@pytest.mark.parametrize("which", [0, 1, 2, 3], ids=["context", "mask", "caption", "noise"])
@torch.no_grad()
def test_every_input_of_a_generator_changes_the_fill(generator, which):
    plain, changed = list(inputs()), list(inputs())
    changed[which] = 1 - changed[which]
    assert not torch.equal(generator(*plain), generator(*changed))


@torch.no_grad()
def test_dropout_acts_only_once_it_is_set():
    torch.manual_seed(0)
    generator = SqueezeNetGenerator(SMALL).train()
    for layer in generator.modules():  # only dropout may tell two passes apart
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 0.0
    first, second = generator(*inputs()), generator(*inputs())
    assert torch.equal(first, second)
    for layer in generator.modules():
        if isinstance(layer, torch.nn.Dropout2d):
            layer.p = 0.5
    assert not torch.equal(generator(*inputs()), generator(*inputs()))


def test_a_fire_module_squeezes_before_it_expands():
    fire = Fire(64, 128)
    assert fire.squeeze[0].out_channels == 16
    assert fire(torch.rand(2, 64, 5, 5)).shape == (2, 128, 5, 5)


@torch.no_grad()
def test_discriminator_scores_each_image_and_returns_its_features():
    discriminator = ConvDiscriminator(ConvSettings(caption_dim=12, caption_code=8, width=8))
    score, features = discriminator(torch.rand(3, 3, 64, 64), torch.randn(3, 12))
    assert score.shape == (3,)
    assert [f.shape[-1] for f in features] == [32, 16, 8, 4]


@torch.no_grad()
def test_a_discriminator_reads_the_caption():
    discriminator = ConvDiscriminator(ConvSettings(caption_dim=12, caption_code=8, width=8)).eval()
    images = torch.rand(2, 3, 64, 64)
    one = discriminator(images, torch.zeros(2, 12)).score
    other = discriminator(images, torch.ones(2, 12)).score
    assert not torch.equal(one, other)


def test_default_generator_fits_12_megabytes_in_half_precision():
    count = sum(p.numel() for p in SqueezeNetGenerator(SqueezeNetSettings()).parameters())
    assert count * 2 < 12e6


@torch.no_grad()
def test_images_are_rescored_under_another_caption_from_features():
    discriminator = ConvDiscriminator(ConvSettings(caption_dim=12, caption_code=8, width=8)).eval()
    images, other = torch.rand(2, 3, 64, 64), torch.ones(2, 12)
    seen = discriminator(images, torch.zeros(2, 12)).features[-1]
    assert torch.equal(
        discriminator.score_features(seen, other), discriminator(images, other).score
    )
