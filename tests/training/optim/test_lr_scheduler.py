"""The learning rate is halved where a figure stalls, and not below its floor."""

import pytest
import torch

from training.optim.lr_scheduler import PlateauScheduler, PlateauSettings


@pytest.fixture
def plateau():
    return PlateauScheduler(PlateauSettings(window=2, patience=2, floor=0.1))


def feed(plateau, *values):
    return [plateau.update(value) for value in values]


def test_a_figure_that_falls_does_not_stall(plateau):
    assert not any(feed(plateau, *(1 / (1 + i) for i in range(20))))


def test_plateau_is_detected_and_its_count_restarts(plateau):
    assert feed(plateau, 1, 1, 1, 1, 1, 1) == [False] * 5 + [True]
    assert feed(plateau, 1, 1, 1, 1) == [False, False, False, True]


def test_one_low_step_in_high_window_is_ignored(plateau):
    feed(plateau, 1.0, 1.0)
    assert feed(plateau, 0.5, 1.6, 0.5, 1.6)[-1]


def test_halving_stops_at_floor_and_never_raises_rates(plateau):
    weights = [torch.nn.Parameter(torch.zeros(1))]
    fast, slow = torch.optim.Adam(weights, lr=0.3), torch.optim.Adam(weights, lr=0.05)
    rates = []
    for _ in range(3):
        plateau.halve_rates(fast, slow)
        rates.append([o.param_groups[0]["lr"] for o in (fast, slow)])
    assert rates == [[0.15, 0.05], [0.1, 0.05], [0.1, 0.05]]


def test_plateau_resumes_in_the_middle_of_a_window(plateau):
    feed(plateau, 1, 1, 1, 1, 1)
    resumed = PlateauScheduler(plateau.settings)
    resumed.load_state_dict(plateau.state_dict())
    assert resumed.update(1)


def test_rollback_restores_the_learning_rates(plateau):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
    plateau.halve_rates(optimizer)
    checkpoint = plateau.state_dict()
    plateau.halve_rates(optimizer)
    plateau.load_state_dict(checkpoint)
    plateau.restore_rates(optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.4
