import pytest
import torch

from models.geometry import hole_mask, paste
from tests.helpers.training.tensors import mean_colour
from training.evaluation.dataset import EvaluationSet
from training.evaluation.metrics.pixels import hole_psnr, seam_ratio, square_gradient
from training.experiments.comparison.fills import (
    METRICS,
    figures_table,
    measure_fills,
    paired_figures,
)
from training.experiments.comparison.keywords import (
    ALL_PICTURES,
    MIN_PICTURES,
    by_keyword,
    keyword_rows,
)

COUNT = 12


def pixels(seed=0):
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.randint(256, (COUNT, 3, 8, 8), generator=rng)
    return coarse.repeat_interleave(8, 2).repeat_interleave(8, 3).byte()


@pytest.fixture(scope="module")
def pictures():
    texts = [f"picture {i}" for i in range(COUNT)]
    return EvaluationSet(pixels(), texts, torch.zeros(COUNT, 4), torch.arange(COUNT).roll(1))


def keep(shift=0):
    """A made-up generator that knows the centre, and is off by so many levels."""
    return lambda seen, vectors, seed: (seen[:, :, 16:48, 16:48].int() + shift).clamp(0, 255).byte()


def measured(fill, pictures):
    return measure_fills(fill, pictures, mean_colour, mean_colour(pictures.pixels), draws=2, seed=0)


def test_real_centre_is_perfect_and_its_draws_equal(pictures):
    found = {k: float(v.mean()) for k, v in measured(keep(), pictures).values.items()}
    assert found.pop("hole_psnr") == pytest.approx(83.0, abs=0.1)
    near = dict.fromkeys((column.key for column in METRICS), 0) | dict.fromkeys(
        ("ssim", "seam_ratio", "square_ratio", "contrast"), 1
    )
    assert found == pytest.approx({k: v for k, v in near.items() if k in found}, abs=1e-6)


def test_mean_seam_over_pictures_is_the_table_ratio(pictures):
    found = measured(keep(40), pictures)
    composites = pictures.composites(found.fills)
    assert float(found.values["seam_ratio"].mean()) == pytest.approx(
        seam_ratio(composites, pictures.pixels)
    )


def test_draws_differ_by_how_far_they_are_apart(pictures):
    def fill(seen, vectors, seed):
        return torch.full((len(seen), 3, 32, 32), 10 * seed, dtype=torch.uint8)

    assert measured(fill, pictures).values["draws_differ_levels"].tolist() == [10] * COUNT


def test_runs_are_compared_picture_by_picture(pictures):
    both = {"good": measured(keep(), pictures), "off": measured(keep(9), pictures)}
    found = paired_figures(both, seed=0)
    by_hand = hole_psnr(both["off"].fills, pictures.centres) - hole_psnr(
        both["good"].fills, pictures.centres
    )
    assert [*found["differences"]] == ["off"]
    assert found["differences"]["off"]["hole_psnr"]["mean"] == pytest.approx(float(by_hand.mean()))
    assert "Differences to good" in figures_table(found)


def test_grain_raises_seam_ratio_but_not_square_ratio():
    real = torch.full((4, 3, 64, 64), 100, dtype=torch.uint8)
    real[:, :, :, 32:] = 140
    real[:, :, 16:] += 10  # something to divide by at the border
    checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 40 - 20
    grainy = real.int()
    grainy[:, :, 16:48, 16:48] += checks
    grainy = grainy.byte()
    assert seam_ratio(grainy, real) > 2
    assert square_gradient(grainy) == pytest.approx(square_gradient(real))


def test_brightness_offset_gives_exactly_that_square_gradient():
    flat = torch.full((2, 3, 64, 64), 100, dtype=torch.uint8)
    square = paste(flat, hole_mask(), torch.full((2, 3, 32, 32), 130, dtype=torch.uint8))
    assert square_gradient(square) == 30
    assert square_gradient(flat) == 0


def test_mean_of_a_keyword_matches_hand_count():
    captions = (
        [["a dog"]] * MIN_PICTURES
        + [["a cliff"]] * MIN_PICTURES
        + [["a piano"]] * 3
        + [["a kitchen"]]
    )
    values = torch.arange(len(captions), dtype=torch.float64)
    found = by_keyword(keyword_rows(captions), {"run": {"hole_psnr": values}}, seed=0)
    assert [*found] == ["rocks", ALL_PICTURES, "dogs"]  # the easiest first, indoors too few
    assert found["dogs"]["pictures"] == MIN_PICTURES
    assert found["dogs"]["runs"]["run"]["hole_psnr"]["mean"] == (MIN_PICTURES - 1) / 2
