"""The membrane: what is missed beside the hole is taken out of the hole as well."""

import torch

from models.layers.boundary_correction import BoundaryCorrection, border_pixels, harmonic_weights


def ramp(x, y):
    """A picture that rises evenly, so that it solves Laplace's equation everywhere."""
    across = torch.linspace(-1, 1, 64)
    one = x * across[None, :] + y * across[:, None]
    return torch.stack([one, -one, 0.5 * one])[None]


def hidden(picture):
    """Whatever lies in the hole must not be read: not even NaN gets through."""
    picture = picture.clone()
    picture[..., 16:48, 16:48] = torch.nan
    return picture


def test_frame_weights_are_positive_and_sum_to_1():
    weights = harmonic_weights(32)
    assert weights.shape == (32 * 32, 4 * 32) and weights.min() > 0
    assert torch.allclose(weights.sum(1), torch.ones(1024, dtype=torch.float64))


def test_linear_gradient_crosses_the_hole_exactly():
    real = ramp(0.3, 0.6)
    wide = torch.zeros(1, 3, 36, 36)
    met = BoundaryCorrection()(wide, hidden(real))
    assert torch.allclose(met[..., 2:-2, 2:-2], real[..., 16:48, 16:48], atol=1e-5)
    assert torch.equal(met[..., :2, :], wide[..., :2, :])  # the margin stays what was predicted


def test_correct_border_is_left_alone():
    torch.manual_seed(0)
    real = torch.rand(2, 3, 64, 64) * 2 - 1
    wide = real[..., 14:50, 14:50].clone()
    wide[..., 2:-2, 2:-2] = torch.rand(2, 3, 32, 32)
    assert torch.allclose(BoundaryCorrection()(wide, hidden(real)), wide)


def test_step_at_border_is_removed_and_texture_stays():
    torch.manual_seed(0)
    texture = 0.05 * torch.randn(1, 3, 36, 36)
    texture[..., :2, :] = texture[..., -2:, :] = 0
    texture[..., :2] = texture[..., -2:] = 0
    met = BoundaryCorrection()(texture - 0.2, hidden(torch.zeros(1, 3, 64, 64)))
    assert torch.allclose(met[..., 2:-2, 2:-2], texture[..., 2:-2, 2:-2], atol=1e-5)


def test_the_frame_is_ordered_as_the_weights_are():
    """A pixel of the frame weighs most in the pixel that it touches."""
    places = torch.arange(34 * 34.0).reshape(1, 1, 34, 34)
    values, inside = border_pixels(places, 1)[0, 0], places[0, 0, 1:-1, 1:-1].flatten()
    nearest = inside[harmonic_weights(32).argmax(0)]
    assert set((values - nearest).abs().tolist()) == {1.0, 34.0}


def test_meta_device_instance_spoils_no_other():
    harmonic_weights.cache_clear()
    with torch.device("meta"):
        BoundaryCorrection()
    assert BoundaryCorrection().weights.sum().item() > 1023
