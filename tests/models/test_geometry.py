"""The picture, the hole, and what is written."""

import torch

from models.geometry import centre, hide, hole_mask, paste, to_float, to_uint8


def test_every_level_survives_conversion_to_float_and_back():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_uint8(to_float(levels)), levels)


def test_the_networks_range_is_minus_one_to_one():
    ends = to_float(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    assert ends.flatten().tolist() == [-1.0, 1.0]


def test_levels_out_of_range_are_clipped_not_wrapped():
    assert to_uint8(torch.tensor([[[[-3.0, 3.0]]]])).flatten().tolist() == [0, 255]


def test_hole_is_the_central_quarter_of_the_area():
    mask = hole_mask()
    assert mask.sum() == 32 * 32
    assert mask[0, 0, 16, 16] == mask[0, 0, 47, 47] == 1
    assert mask[0, 0, 15, 16] == mask[0, 0, 48, 47] == 0


def test_nan_does_not_leave_the_hole():
    images = torch.rand(1, 3, 64, 64)
    images[:, :, 20:40, 20:40] = torch.nan
    context = hide(images, hole_mask())
    assert torch.isfinite(context).all()
    assert (centre(context) == 0).all()


def test_pasted_centre_is_found_and_ring_is_untouched():
    images, fill = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 32, 32)
    mask = hole_mask()
    composite = paste(images, mask, fill)
    assert torch.equal(centre(composite), fill)
    assert torch.equal(hide(composite, mask), hide(images, mask))


def test_pasting_the_real_centre_gives_the_real_picture():
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(paste(hide(images, hole_mask()), hole_mask(), centre(images)), images)
