"""BEGAN's networks: sizes, conditions and what fades."""

import pytest
import torch
from torch import nn

from models.discriminators.began import BeganDiscriminator, BeganDiscriminatorSettings
from models.discriminators.began_blog import BlogDiscriminator, BlogDiscriminatorSettings
from models.generators.began import BeganGenerator, BeganGeneratorSettings, ResidualFade
from models.generators.began_blog import BlogGenerator, BlogGeneratorSettings, LocallyConnected
from models.generators.inpaint_began import InpaintBeganGenerator, InpaintBeganSettings
from models.geometry import hole_mask
from models.layers.generator_io import Clip, output_activation
from tests.models.generators.test_dcgan import unseen

SMALL = {"caption_dim": 12, "caption_code": 8, "noise_dim": 4, "width": 8, "decoder_width": 8}


def count(network, *but):
    """Parameters of a network, all but those of some kinds of layer."""
    left_out = sum(
        p.numel() for m in network.modules() if isinstance(m, but) for p in m.parameters()
    )
    return sum(p.numel() for p in network.parameters()) - left_out


def test_blog_networks_have_the_published_parameter_counts():
    with torch.device("meta"):
        generator, discriminator = (
            BlogGenerator(BlogGeneratorSettings()),
            BlogDiscriminator(BlogDiscriminatorSettings()),
        )
        plain = BlogGenerator(BlogGeneratorSettings(batch_norm=False))
    assert count(generator, nn.BatchNorm2d) == count(plain) == 2_444_800
    assert count(discriminator, nn.BatchNorm2d) == 7_780_323


def test_blog_generator_ends_with_untied_filters_and_biases():
    with torch.device("meta"):
        generator = BlogGenerator(BlogGeneratorSettings())
    assert count(generator.to_rgb) == 32 * 32 * 3 * (9 * 64 + 1)
    assert generator.to_rgb.bias.shape == (3, 32, 32)


@torch.no_grad()
def test_locally_connected_layer_with_equal_filters_is_convolution():
    torch.manual_seed(0)
    local, conv = LocallyConnected(2, 3, 5), nn.Conv2d(2, 3, 3, padding=1)
    local.weight.copy_(conv.weight.flatten(1).T.expand(25, -1, -1))
    local.bias.copy_(conv.bias[:, None, None].expand(3, 5, 5))
    x = torch.randn(4, 2, 5, 5)
    assert torch.allclose(local(x), conv(x), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("size", [32, 64, 128])
def test_generator_and_autoencoder_work_at_every_size(size):
    generator = BeganGenerator(BeganGeneratorSettings(size=size, width=4, noise_dim=5))
    discriminator = BeganDiscriminator(BeganDiscriminatorSettings(size=size, width=4, code=6))
    picture = generator(*unseen(size), torch.randn(2, 5))
    rebuilt, code = discriminator(picture, torch.zeros(2, 384))
    assert picture.shape == rebuilt.shape == (2, 3, size, size)
    assert code.shape == (2, 6)


@torch.no_grad()
def test_the_blogs_networks_fit_each_other():
    picture = BlogGenerator(BlogGeneratorSettings())(*unseen(32), torch.randn(2, 64))
    rebuilt, code = BlogDiscriminator(BlogDiscriminatorSettings())(picture, torch.zeros(2, 0))
    assert picture.shape == rebuilt.shape == (2, 3, 32, 32)
    assert picture.abs().max() <= 1
    assert code.shape == (2, 4096)


def test_began_has_no_batch_norm_unless_told():
    with torch.device("meta"):
        plain = BeganDiscriminator(BeganDiscriminatorSettings())
        normed = BeganDiscriminator(BeganDiscriminatorSettings(batch_norm=True))
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in n.modules()) for n in (plain, normed)]
    assert norms[0] == 0 < norms[1]


@torch.no_grad()
def test_skips_carry_the_code_into_every_level():
    upsampling = BeganGenerator(BeganGeneratorSettings(width=4)).decoder.upsampling
    seen = []
    for level in upsampling.levels:
        level.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    first = torch.randn(1, 4, 8, 8)
    upsampling(first)
    assert [x.shape[1] for x in seen] == [4, 8, 8, 8]
    assert torch.equal(seen[2][:, 4:, ::4, ::4], first)


@torch.no_grad()
def test_vanishing_residual_goes_from_identity_to_its_layer():
    network = nn.Sequential(ResidualFade(nn.Conv2d(2, 2, 3, padding=1)))
    x = torch.randn(1, 2, 4, 4)
    layer = network[0].layer(x)
    for alpha, expected in ((1.0, x), (0.25, 0.25 * x + 0.75 * layer), (0.0, layer)):
        network[0].alpha.fill_(alpha)
        assert torch.allclose(network(x), expected, atol=1e-6)


def test_a_clipped_pixel_finds_its_way_back():
    x = torch.tensor([-2.0, -2.0, 0.5, 2.0, 2.0], requires_grad=True)
    y = Clip()(x)
    y.backward(torch.tensor([-1.0, 1.0, 1.0, 1.0, -1.0]))
    assert y.tolist() == [-1.0, -1.0, 0.5, 1.0, 1.0]
    assert x.grad.tolist() == [-1.0, 0.0, 1.0, 1.0, 0.0]


def test_unknown_output_or_activation_is_refused():
    with pytest.raises(ValueError, match="none of clip, tanh"):
        output_activation("sigmoid")
    with pytest.raises(ValueError, match="activation 'gelu'"):
        InpaintBeganSettings(activation="gelu")


@torch.no_grad()
@pytest.mark.parametrize("which", [0, 1, 2, 3], ids=["context", "mask", "caption", "noise"])
def test_every_inpainting_generator_input_changes_the_fill(which):
    torch.manual_seed(0)
    generator = InpaintBeganGenerator(InpaintBeganSettings(**SMALL)).eval()
    plain = [torch.rand(2, 3, 64, 64), hole_mask(2), torch.randn(2, 12), torch.randn(2, 4)]
    changed = list(plain)
    changed[which] = 1 - changed[which]
    assert generator(*plain).shape == (2, 3, 32, 32)
    assert not torch.equal(generator(*plain), generator(*changed))


@torch.no_grad()
@pytest.mark.parametrize("encoder", ["conv", "squeeze"])
def test_autoencoder_reconstructs_with_the_caption_it_reads(encoder):
    settings = BeganDiscriminatorSettings(caption_dim=12, caption_code=4, width=16, encoder=encoder)
    discriminator, images = BeganDiscriminator(settings).eval(), torch.rand(2, 3, 64, 64)
    one = discriminator(images, torch.zeros(2, 12))
    other = discriminator(images, torch.ones(2, 12))
    assert torch.equal(one.code, other.code)
    assert not torch.equal(one.images, other.images)
