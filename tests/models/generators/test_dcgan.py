"""DCGAN's networks as the paper draws them."""

import pytest
import torch
from torch import nn

from models.discriminators import DISCRIMINATORS
from models.discriminators.dcgan import DcganDiscriminator, DcganDiscriminatorSettings
from models.generators import GENERATORS
from models.generators.dcgan import DcganGenerator, DcganGeneratorSettings
from models.geometry import paste, whole_mask
from models.layers.generator_io import from_normal


def unseen(size, count=2):
    """What a system that sees nothing is called with."""
    return torch.zeros(count, 3, size, size), whole_mask(count, size), torch.zeros(count, 0)


def shape_after(network, layer, inputs):
    """The channels and side that come out of a layer."""
    seen = []
    layer.register_forward_hook(lambda module, args, out: seen.append(tuple(out.shape[1:])))
    with torch.device("meta"):
        network(*(i.to("meta") for i in inputs))
    return seen[0]


@pytest.mark.parametrize(("size", "channels"), [(32, 512), (64, 1024), (128, 2048)])
def test_generator_projects_noise_to_4x4_as_published(size, channels):
    with torch.device("meta"):
        generator = DcganGenerator(DcganGeneratorSettings(size=size))
    inputs = (*unseen(size), torch.zeros(2, 100))
    assert shape_after(generator, generator.project, inputs) == (channels, 4, 4)
    assert shape_after(generator, generator.to_rgb, inputs) == (3, size, size)


def test_batch_norm_is_everywhere_but_output_and_input():
    with torch.device("meta"):
        generator = DcganGenerator(DcganGeneratorSettings())
        discriminator = DcganDiscriminator(DcganDiscriminatorSettings())
    normed = [any(isinstance(m, nn.BatchNorm2d) for m in level) for level in discriminator.levels]
    assert normed == [False, True, True, True]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in generator.modules()) == 4
    assert not any(isinstance(m, nn.BatchNorm2d) for m in generator.to_rgb)


def test_weights_are_initialized_with_deviation_0_02():
    torch.manual_seed(0)
    generator = DcganGenerator(DcganGeneratorSettings(size=32, width=32))
    weights = torch.cat([m.weight.flatten() for m in generator.modules() if "Conv" in str(type(m))])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)


@torch.no_grad()
def test_image_from_noise_alone_is_within_range():
    generator = DcganGenerator(DcganGeneratorSettings(size=32, width=8)).eval()
    context, mask, caption = unseen(32)
    noise = torch.randn(2, 100)
    picture = generator(context, mask, caption, noise)
    assert torch.equal(picture, generator(context + 1, mask, caption, noise))
    assert torch.equal(paste(context, mask, picture), picture)
    assert picture.abs().max() <= 1


def test_uniform_noise_fills_the_range_evenly():
    noise = from_normal(torch.randn(100_000, generator=torch.Generator().manual_seed(0)), "uniform")
    counts = torch.histc(noise, 4, -1, 1) / len(noise)
    assert counts.tolist() == pytest.approx([0.25] * 4, abs=0.01)


def test_another_kind_of_noise_is_refused():
    with pytest.raises(ValueError, match="none of normal, uniform"):
        DcganGeneratorSettings(noise="pink")


def test_size_not_a_doubling_of_4_is_refused():
    with pytest.raises(ValueError, match="size 48"):
        DcganGenerator(DcganGeneratorSettings(size=48))


def test_network_without_captions_ignores_their_length():
    with torch.device("meta"):
        assert GENERATORS["dcgan"]({"caption_dim": 7, "size": 32}).settings.size == 32
        assert DISCRIMINATORS["conv"]({"caption_dim": 7}).settings.caption_dim == 7
