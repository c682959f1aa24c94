import numpy as np
import pytest
import torch
from PIL import Image

from training.common.image_grid import LABEL_WIDTH, picture_grid, stack_grids

PICTURES = {"one": torch.full((2, 3, 8, 8), 200, dtype=torch.uint8)}


def inked(picture):
    return int((np.asarray(picture.convert("L")) < 100).sum())


def test_texts_at_row_ends_stand_right_of_pictures():
    plain = picture_grid(PICTURES, scale=4)
    ended = picture_grid(PICTURES, scale=4, ends=["first", "second"])
    assert ended.size == (plain.width + LABEL_WIDTH, plain.height)
    assert inked(ended.crop((plain.width, 0, *ended.size))) > 20
    assert ended.crop((0, 0, *plain.size)).tobytes() == plain.tobytes()


def test_ends_for_another_number_of_rows_are_refused():
    with pytest.raises(ValueError, match="1 row labels for 2 rows"):
        picture_grid(PICTURES, ends=["only one"])


def test_grids_are_stacked_in_order_and_left_aligned():
    sheet = stack_grids([Image.new("RGB", (4, 3), "red"), Image.new("RGB", (6, 2), "blue")])
    assert sheet.size == (6, 5)
    found = [sheet.getpixel(place) for place in ((0, 2), (5, 2), (5, 4))]
    assert found == [(255, 0, 0), (255, 255, 255), (0, 0, 255)]
