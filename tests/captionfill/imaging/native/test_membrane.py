import numpy as np

from captionfill.imaging.native.membrane import solve_membrane


def square(size, first, last):
    hole = np.zeros((size, size), bool)
    hole[first:last, first:last] = True
    return hole


def plane(size):
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    return (2 * rows - columns)[..., None]


def test_a_plane_goes_on_through_the_hole():
    hole = square(65, 9, 60)
    solved = solve_membrane(np.where(hole[..., None], 1e6, plane(65)).astype(np.float32), hole)
    assert np.abs(solved - plane(65)).max() < 4  # of a range of 192


def test_a_membrane_is_nearly_harmonic():
    values = np.random.default_rng(0).normal(size=(40, 40, 2)).astype(np.float32)  # deviation 1
    hole = square(40, 4, 36)
    solved = solve_membrane(values, hole)
    mean = (solved[:-2, 1:-1] + solved[2:, 1:-1] + solved[1:-1, :-2] + solved[1:-1, 2:]) / 4
    assert np.abs(mean - solved[1:-1, 1:-1])[hole[1:-1, 1:-1]].max() < 0.1


def test_values_stay_between_those_around():
    values = np.random.default_rng(1).uniform(10, 20, (31, 47, 3)).astype(np.float32)
    hole = np.random.default_rng(2).random((31, 47)) < 0.7
    solved = solve_membrane(values, hole)
    assert solved.min() >= values[~hole].min() - 1e-3 and solved.max() <= values[~hole].max() + 1e-3
    assert np.array_equal(solved[~hole], values[~hole])


def test_hole_at_the_edge_continues_level():
    values = np.full((20, 20, 1), 5, np.float32)
    hole = np.zeros((20, 20), bool)
    hole[:12, :12] = True
    assert np.allclose(solve_membrane(values, hole), 5)
