"""The flagship's generator: one look, several draws, a margin."""

import pytest
import torch

from models.generators import GENERATORS
from models.generators.unet import MARGIN

SETTINGS = {"caption_dim": 12, "caption_code": 4, "latent": 4, "style": 8, "width": 8}


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return GENERATORS["unet"](SETTINGS).eval()


@pytest.fixture
def seen():
    torch.manual_seed(1)
    context = torch.rand(2, 3, 64, 64) * 2 - 1
    mask = torch.zeros(2, 1, 64, 64)
    mask[:, :, 16:48, 16:48] = 1
    return context.masked_fill(mask > 0, 0), mask, torch.randn(2, 12)


@torch.no_grad()
@pytest.mark.parametrize("membrane", [False, True])
def test_sample_without_margin_equals_forward(seen, membrane):
    torch.manual_seed(0)
    generator = GENERATORS["unet"]({**SETTINGS, "membrane": membrane}).eval()
    first, second, third = torch.randn(3, 2, generator.settings.noise_dim)
    draws = generator.sample(*seen, [first, second, third[:1]])
    assert [len(draw) for draw in draws] == [2, 2, 1]
    assert draws[0].shape[1:] == (3, 32 + 2 * MARGIN, 32 + 2 * MARGIN)
    for draw, noise in zip(draws, (first, second, third), strict=True):
        plain = generator(*seen, noise)[: len(draw)]
        assert torch.allclose(generator.crop_margin(draw), plain, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("part", ["caption", "latent", "finest place"])
def test_caption_and_every_noise_part_change_the_fill(generator, seen, part):
    context, mask, caption = seen
    noise = torch.zeros(2, generator.settings.noise_dim)
    before = generator(context, mask, caption, noise)
    if part == "caption":
        caption = caption + 1
    else:
        noise[:, 0 if part == "latent" else -20 * 40 - 20] = 5
    moved = (generator(context, mask, caption, noise) - before).abs()
    assert moved.max() > 1e-5
    # A place has noise of its own: far from it, only what the norm spreads moves.
    assert part != "finest place" or moved[..., 14:20, 14:20].max() > 2 * moved[..., :4, :4].max()


@torch.no_grad()
def test_a_picture_is_filled_the_same_beside_others(generator, seen):
    noise = torch.randn(2, generator.settings.noise_dim)
    together = generator(*seen, noise)
    alone = generator(*(part[1:] for part in seen), noise[1:])
    assert torch.allclose(together[1:], alone, atol=1e-5)


@torch.no_grad()
def test_caption_moves_untrained_fill_as_far_as_latent(generator, seen):
    context, mask, _ = seen
    one, other = torch.nn.functional.normalize(torch.randn(2, 2, 12), dim=2)
    noise = torch.zeros(2, generator.settings.noise_dim)
    moved = noise.clone()
    moved[:, :4] = torch.randn(2, 4)
    fill = generator(context, mask, one, noise)
    by_caption = (generator(context, mask, other, noise) - fill).abs().mean()
    by_latent = (generator(context, mask, one, moved) - fill).abs().mean()
    assert by_caption > 0.3 * by_latent


@torch.no_grad()
def test_a_lower_temperature_is_less_noise(generator, seen):
    noise = torch.randn(2, generator.settings.noise_dim)
    cool = GENERATORS["unet"]({**SETTINGS, "temperature": 0.5}).eval()
    cool.load_state_dict(generator.state_dict())
    assert torch.allclose(cool(*seen, noise), generator(*seen, noise / 2))


@torch.no_grad()
def test_guidance_extrapolates_from_no_caption_beyond_the_caption(generator, seen):
    context, mask, caption = seen
    noise = torch.randn(2, generator.settings.noise_dim)
    plain, none = (generator(context, mask, c, noise) for c in (caption, torch.zeros_like(caption)))

    def guided(guidance):
        other = GENERATORS["unet"]({**SETTINGS, "guidance": guidance})
        other.load_state_dict(generator.state_dict())
        return other(context, mask, caption, noise)

    assert torch.allclose(guided(0.0), none, atol=1e-6)
    assert torch.allclose(guided(1.0), plain)
    assert (guided(2.0) - none).abs().mean() > (plain - none).abs().mean()


@torch.no_grad()
def test_bilinear_resize_changes_within_blocks_of_two_pixels():
    """Of white noise half as much as across them; repeated pixels do not change at all."""

    def unevenness(upsample):
        torch.manual_seed(0)
        generator = GENERATORS["unet"]({**SETTINGS, "upsample": upsample}).eval()
        [level] = [up for up in generator.ups if up.crop == 12]
        risen = level.upsample(torch.randn(4, 16, 20, 20))
        within = (risen[..., 1::2] - risen[..., ::2]).abs().mean()
        across = (risen[..., 2::2] - risen[..., 1:-1:2]).abs().mean()
        return float(within / across)

    assert unevenness("nearest") == 0 and 0.4 < unevenness("bilinear") < 0.6


def test_another_way_to_upsample_is_refused():
    with pytest.raises(ValueError, match="upsample"):
        GENERATORS["unet"]({**SETTINGS, "upsample": "bicubic"})


@torch.no_grad()
def test_boundary_correction_continues_the_surroundings(generator, seen):
    joined = GENERATORS["unet"]({**SETTINGS, "membrane": True}).eval()
    joined.load_state_dict(generator.state_dict())  # no weight more
    context, mask, caption = seen
    smooth = (torch.zeros_like(context) + 0.5).masked_fill(mask > 0, 0)
    noise = torch.zeros(2, generator.settings.noise_dim)

    def step(network):
        return (network(smooth, mask, caption, noise)[..., 0, :] - 0.5).abs().mean()

    assert step(joined) < 0.5 * step(generator)
