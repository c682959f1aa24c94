import json

import pytest

from training.common.errors import RunError
from training.experiments.comparison.ablation import available_steps, common_steps, final_state
from training.monitors.base import Action, Finding, record_findings


def write_log(folder, ms, **more):
    lines = [{"step": i, "time": 0.0, "state/M": m, "state/k": i / 100} for i, m in enumerate(ms)]
    lines[-1] |= more
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_end_of_run_is_mean_of_last_twentieth(tmp_path):
    folder = write_log(tmp_path, [1.0] * 60 + [0.2, 0.4] + [9.0] * 20)
    end = final_state(folder, step=61)
    assert end["M"] == pytest.approx((1.0 + 0.2 + 0.4) / 3)  # a twentieth of 62 entries
    assert end["k"] == 0.61 and not end["diverged"]


def test_measure_ending_above_its_start_is_a_divergence(tmp_path):
    assert "above the 0.1000" in final_state(write_log(tmp_path, [0.1, 0.2, 0.3]), 2)["why"]


def test_non_finite_figure_is_a_divergence(tmp_path):
    folder = write_log(tmp_path, [0.3, 0.2], other=float("nan"))
    assert final_state(folder, 1)["why"] == "a logged figure is not finite"


@pytest.mark.parametrize(("action", "diverged"), [(Action.STOP, True), (Action.WARN, False)])
def test_monitor_stop_is_divergence_but_warning_is_not(tmp_path, action, diverged):
    folder = write_log(tmp_path, [0.3, 0.2])
    record_findings(folder, [Finding(1, "collapse", "all alike", action, 0)])
    assert final_state(folder, 1)["diverged"] is diverged


def test_runs_meet_at_their_last_common_step():
    assert common_steps([[1000, 2000, 2500], [1000, 2000, 3000]]) == [2000, 2000]


def test_runs_never_meeting_are_taken_at_their_ends():
    assert common_steps([[1000, 2500], [700, 3000]]) == [2500, 3000]


def test_a_run_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(RunError, match="no checkpoint yet"):
        available_steps(tmp_path)
