import torch

from models.geometry import hole_mask, paste
from tests.training.metrics.images import ramps
from training.metrics.seam import seam_gradient, seam_ratio


def test_the_seam_ratio_of_real_pictures_is_1():
    assert seam_ratio(ramps(2), ramps(2)) == 1


def test_seam_gradient_of_a_ramp_matches_hand_calculation():
    # Half of the pairs lie across columns (one level apart), half along a column (equal).
    assert seam_gradient(ramps(1)) == 0.5


def test_a_pasted_square_has_a_seam():
    white = torch.full((2, 3, 32, 32), 255, dtype=torch.uint8)
    assert seam_ratio(paste(ramps(2), hole_mask(), white), ramps(2)) > 100


def test_flat_real_pictures_give_no_seam_ratio():
    flat = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    assert seam_ratio(ramps(2), flat) is None
