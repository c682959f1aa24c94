"""What a run sees of a prepared picture."""

import pytest
import torch

from models.geometry import centre
from training.config.image_spec import INPAINT_SPEC, ImageSpec
from training.data.augment import apply_view


def test_centre_view_equals_the_centres_inpainting_fills():
    pixels = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
    picture = ImageSpec(size=32, hole="all", view="centre")
    assert picture.window == 64
    assert torch.equal(apply_view(pixels, picture.view), centre(pixels))


def test_shrunk_view_is_the_mean_of_four_pixels():
    pixels = torch.tensor([[0, 4], [8, 12]], dtype=torch.uint8).repeat(1, 3, 32, 32)
    seen = apply_view(pixels, "shrink")
    assert seen.shape == (1, 3, 32, 32)
    assert seen.unique().tolist() == [6]


def test_a_hole_that_is_everything_covers_every_pixel():
    assert ImageSpec(size=32, hole="all").mask(2).sum() == 2 * 32 * 32
    assert INPAINT_SPEC.mask(1).sum() == 32 * 32


def test_a_central_hole_in_another_size_is_refused():
    with pytest.raises(ValueError, match="needs size 64"):
        ImageSpec(size=32)
