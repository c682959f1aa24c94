import pytest
import torch

from models.geometry import hide, hole_mask
from training.evaluation.dataset import mismatched_rows
from training.evaluation.methods import CLASSICAL, mean_centre


def picture(seed: int = 0) -> torch.Tensor:
    """A smooth picture: a coarse random one, enlarged."""
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed)) * 255
    smooth = torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear")
    return smooth[0].to(torch.uint8)


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_classical_method_never_reads_the_hole(name):
    blank, noisy = hide(picture(), hole_mask()[0]), picture()
    noisy[:, 16:48, 16:48] = picture(seed=1)[:, :32, :32]
    assert torch.equal(CLASSICAL[name](blank), CLASSICAL[name](noisy))


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_method_leaves_its_input_unchanged(name):
    given = picture()
    CLASSICAL[name](given)
    assert torch.equal(given, picture())


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_classical_method_continues_a_flat_colour(name):
    colour = torch.tensor([200, 100, 50], dtype=torch.uint8).view(3, 1, 1)
    fill = CLASSICAL[name](hide(colour.expand(3, 64, 64), hole_mask()[0]))
    assert fill.dtype == torch.uint8
    torch.testing.assert_close(fill, colour.expand(3, 32, 32), rtol=0, atol=5)


def test_the_mean_centre_is_rounded_to_nearest():
    centres = torch.tensor([1, 2, 2], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 32, 32)
    assert mean_centre(centres).unique().tolist() == [2]


@pytest.mark.parametrize("count", [2, 3, 10, 101])
def test_every_picture_gets_another_and_each_serves_once(count):
    others = mismatched_rows([str(i) for i in range(count)], seed=count)
    assert sorted(others.tolist()) == list(range(count))
    assert (others != torch.arange(count)).all()


@pytest.mark.parametrize("seed", range(5))
def test_substitute_is_of_another_group_where_possible(seed):
    groups = ["dog"] * 5 + ["cat"] * 3 + ["house"] * 2
    others = mismatched_rows(groups, seed)
    assert all(groups[i] != groups[other] for i, other in enumerate(others.tolist()))


def test_the_order_depends_on_the_seed():
    names = [str(i) for i in range(50)]
    assert not torch.equal(mismatched_rows(names, 0), mismatched_rows(names, 1))
