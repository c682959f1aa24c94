"""The context encoder's networks, as PyTorch-GAN lays them out but for one level."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from models.discriminators.context_encoder import ContextDiscriminator, ContextDiscriminatorSettings
from models.generators.context_encoder import ContextEncoder, ContextEncoderSettings, TransposedConv
from models.geometry import hide, hole_mask, paste

SMALL = ContextEncoderSettings(width=4, bottleneck=16)


def convolutions(network):
    """Channels in and out, kernel and stride of each convolution, first to last."""
    kinds = nn.Conv2d | nn.ConvTranspose2d
    layers = [m for m in network.modules() if isinstance(m, kinds)]
    return [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0]) for m in layers]


def test_generator_has_pytorch_gan_widths_minus_one_level():
    with torch.device("meta"):
        generator = ContextEncoder(ContextEncoderSettings())
    encoder = [(3, 64, 4, 2), (64, 128, 4, 2), (128, 256, 4, 2), (256, 512, 4, 2)]
    decoder = [(4000, 512, 4, 2), (512, 256, 4, 2), (256, 128, 4, 2), (128, 3, 3, 1)]
    assert convolutions(generator) == [*encoder, (512, 4000, 1, 1), *decoder]
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [norm.eps for norm in norms] == [0.8] * 6


def test_discriminator_has_four_levels_with_instance_norm():
    with torch.device("meta"):
        discriminator = ContextDiscriminator(ContextDiscriminatorSettings())
    levels = [(3, 64, 3, 2), (64, 128, 3, 2), (128, 256, 3, 2), (256, 512, 3, 1)]
    assert convolutions(discriminator) == [*levels, (512, 1, 3, 1)]
    normed = [
        any(isinstance(m, nn.InstanceNorm2d) for m in level) for level in discriminator.levels
    ]
    assert normed == [False, True, True, True]


@torch.no_grad()
def test_a_fill_depends_on_the_context_alone():
    generator, mask = ContextEncoder(SMALL).eval(), hole_mask(2)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    fill = generator(hide(images, mask), mask, torch.zeros(2, 12), torch.zeros(2, 0))
    assert fill.shape == (2, 3, 32, 32) and fill.abs().max() <= 1
    # Whatever is in the hole, and whatever is said.
    assert torch.equal(fill, generator(images, mask, torch.ones(2, 12), torch.zeros(2, 0)))
    assert not torch.equal(fill, generator(hide(-images, mask), mask, torch.zeros(2, 12), None))


@torch.no_grad()
def test_discriminator_scores_sixteen_places_of_the_centre():
    discriminator, mask = ContextDiscriminator(ContextDiscriminatorSettings(width=4)), hole_mask(2)
    fill = torch.rand(2, 3, 32, 32)
    scores = discriminator(paste(torch.zeros(2, 3, 64, 64), mask, fill), torch.zeros(2, 0)).scores
    assert scores.shape == (2, 16)
    elsewhere = discriminator(paste(torch.ones(2, 3, 64, 64), mask, fill), torch.zeros(2, 0))
    assert torch.equal(scores, elsewhere.scores)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_transposed_convolution_equals_a_matrix_product(layout):
    torch.manual_seed(0)
    layer = TransposedConv(6, 5, 4, stride=2, padding=1, bias=False).to(memory_format=layout)
    x = torch.randn(3, 6, 4, 7, requires_grad=True)
    found = []
    for out in (layer.train()(x), layer.eval()(x)):
        gradients = torch.autograd.grad(out.square().sum(), [x, layer.weight])
        found.append([out, *gradients])
    for product, plain in zip(*found, strict=True):
        torch.testing.assert_close(product, plain)


def test_a_wider_bottleneck_is_a_setting():
    with torch.device("meta"):
        generator = ContextEncoder(replace(SMALL, bottleneck=32))
    assert generator.bottleneck.out_channels == 32
