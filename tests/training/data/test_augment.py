"""Augmentations keep picture, hole and caption in step."""

import torch

from models.geometry import centre, hole_mask, random_corners
from training.data.augment import centre_crop, crop, mirror, random_angles, random_flips, rotate


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def gradient(count=4):
    """Smooth pictures, so that turning and turning back loses little."""
    ramp = torch.linspace(-1, 1, 64)
    return (ramp[None, :] + 0.5 * ramp[:, None]).expand(count, 3, 64, 64) / 1.5


def test_crops_are_cut_from_inside_and_differ():
    pixels = torch.arange(72 * 72).view(1, 1, 72, 72).expand(8, 3, 72, 72)
    crops = crop(pixels, random_corners(8, 8, rng()))
    assert crops.shape == (8, 3, 64, 64)
    assert crops[:, 0, 0, 0].unique().numel() > 1


def test_the_centre_crop_is_central():
    pixels = torch.zeros(1, 3, 72, 72)
    pixels[:, :, 4:68, 4:68] = 1
    assert centre_crop(pixels).min() == 1


def test_picture_captioned_left_or_right_is_not_mirrored():
    pixels = torch.rand(64, 3, 4, 4)
    sided = ["a dog on the LEFT", "his right hand"] * 32
    assert torch.equal(mirror(pixels, sided, random_flips(64, rng())), pixels)


def test_about_half_of_the_other_pictures_are_mirrored():
    pixels = torch.rand(400, 3, 4, 4)
    flipped = mirror(pixels, ["a bright dog"] * 400, random_flips(400, rng()))
    changed = (flipped != pixels).flatten(1).any(1).float().mean()
    assert 0.4 < changed < 0.6
    assert torch.equal(flipped.sort(3).values, pixels.sort(3).values)


def test_no_rotation_leaves_every_bit():
    images = torch.rand(3, 3, 64, 64)
    same, mask = rotate(images, random_angles(3, 0.0, 8.0, rng()))
    assert torch.equal(same, images)
    assert torch.equal(mask, hole_mask(3))


def test_turned_hole_stays_within_the_writable_area():
    _, masks = rotate(gradient(32), random_angles(32, 1.0, 15.0, rng()))
    outside = masks.clone()
    outside[:, :, 16:48, 16:48] = 0
    assert outside.sum() == 0
    assert (masks.flatten(1).sum(1) < 32 * 32).any()


def test_the_hole_turns_with_the_picture():
    # The hole is painted into the picture: wherever it goes, the mask must go too.
    images = hole_mask(16).expand(16, 3, 64, 64) * 2 - 1
    turned, masks = rotate(images, random_angles(16, 1.0, 15.0, rng(1)))
    agree = ((turned[:, :1] > 0) == (masks > 0)).float().mean()
    assert agree > 0.99
    assert centre(masks).mean() < 0.95
