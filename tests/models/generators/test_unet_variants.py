"""The flagship's generator with an idea taken out."""

import pytest
import torch
from torch import nn

from models.generators import GENERATORS

SETTINGS = {"caption_dim": 12, "caption_code": 4, "latent": 4, "style": 8, "width": 8}
VARIANTS = ["unet-no-skips", "unet-transposed", "unet-concat"]


def built(kind, **more):
    torch.manual_seed(0)
    return GENERATORS[kind]({**SETTINGS, **more}).eval()


def inputs(seed):
    rng = torch.Generator().manual_seed(seed)
    context = torch.rand(2, 3, 64, 64, generator=rng) * 2 - 1
    mask = torch.zeros(2, 1, 64, 64)
    mask[:, :, 16:48, 16:48] = 1
    return context.masked_fill(mask > 0, 0), mask, torch.randn(2, 12, generator=rng)


@torch.no_grad()
@pytest.mark.parametrize("kind", VARIANTS)
def test_each_fills_and_draws_as_the_flagship_does(kind):
    generator, (context, mask, caption) = built(kind), inputs(1)
    noise = torch.randn(2, generator.settings.noise_dim)
    fill = generator(context, mask, caption, noise)
    assert fill.shape == (2, 3, 32, 32)
    (wide,) = generator.draw(context, mask, caption, [noise])
    assert torch.allclose(generator.crop_margin(wide), fill, atol=1e-5)
    assert (generator(context, mask, -caption, noise) - fill).abs().max() > 1e-5


class Nothing(nn.Module):
    """Sees nothing: zeros of the shape that the coarsest level would give."""

    def forward(self, x):
        return x.new_zeros(len(x), 48, 4, 4)


@torch.no_grad()
@pytest.mark.parametrize(("kind", "blind"), [("unet", False), ("unet-no-skips", True)])
def test_without_skips_surroundings_pass_only_the_bottleneck(kind, blind):
    generator = built(kind)
    generator.downs[-1] = Nothing()
    noise = torch.randn(2, generator.settings.noise_dim)
    caption = inputs(1)[2]
    one, other = (generator(*inputs(seed)[:2], caption, noise) for seed in (1, 2))
    assert torch.allclose(one, other) is blind


@torch.no_grad()
def test_caption_joined_at_bottleneck_enters_nowhere_else():
    generator, (context, mask, caption) = built("unet-concat"), inputs(1)
    generator.joined.weight[:, 48:] = 0
    noise = torch.randn(2, generator.settings.noise_dim)
    fill, other = (generator(context, mask, c, noise) for c in (caption, -caption))
    assert torch.allclose(fill, other)


def test_guidance_needs_styles_that_use_the_caption():
    with pytest.raises(ValueError, match="'unet-concat' knows no guidance"):
        built("unet-concat", guidance=1.5)
