"""The watch over a run: patience, quiet, roll-backs, and a state that survives a resume."""

import json
from dataclasses import astuple

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from training.monitors.base import Action, Observation, read_findings, record_findings
from training.monitors.monitor_set import MonitorSet, MonitorSettings

STUCK = {"balance": {"warn_after": 100, "act_after": 300}}


def watch(**tables):
    tables = {"warmup": 0, "quiet": 150, **tables}
    return MonitorSet(TypeAdapter(MonitorSettings).validate_python(tables))


def looks(watching, photos, steps, k=0.5, loss=1.0):
    reals, fills = (batch[:8] for batch in photos)
    figures = {"state/k": k, "generator/l2": loss}
    seen = [Observation(step, figures, fills, reals) for step in steps]
    return [finding for one in seen for finding in watching.look(one)]


def brief(findings):
    return [(finding.step, finding.guard, finding.action) for finding in findings]


def test_an_untroubled_run_has_no_findings(photos):
    assert looks(watch(), photos, range(0, 1000, 50)) == []


def test_lasting_finding_is_reported_repeated_and_then_stops(photos):
    found = looks(watch(**STUCK), photos, range(0, 350, 50), k=1.0)
    assert brief(found) == [
        (100, "balance", Action.WARN),
        (250, "balance", Action.WARN),
        (300, "balance", Action.STOP),
    ]
    assert found[-1].since == 0


def test_trouble_that_passes_starts_anew(photos):
    watching = watch(**STUCK)
    found = [looks(watching, photos, [step], k=step % 100 / 100) for step in range(0, 600, 50)]
    assert found == [[]] * 12


def test_warmup_and_disabled_monitors_check_nothing(photos):
    grey = (photos[0], torch.zeros_like(photos[0]))
    off = {"greyness": {"enabled": False}, "collapse": {"enabled": False}}
    assert looks(watch(warmup=500), grey, [0, 499]) == []
    assert looks(watch(**off), grey, [0, 499]) == []


def test_one_odd_batch_warns_and_two_roll_back(photos):
    watching = watch()
    looks(watching, photos, range(0, 500, 50))
    found = looks(watching, photos, [500, 550], loss=9.0)
    assert brief(found) == [(500, "jump", Action.WARN), (550, "jump", Action.ROLL_BACK)]
    assert found[1].since == 500


def test_jump_after_the_last_rollback_stops_the_run(photos):
    watching = watch(jump={"most_rollbacks": 1})
    looks(watching, photos, range(0, 500, 50))
    good = watching.state_dict()
    looks(watching, photos, [500, 550], loss=9.0)
    watching.roll_back(good)
    found = looks(watching, photos, [500, 550], loss=9.0)
    assert watching.rollbacks == 1
    assert found[-1].action is Action.STOP


def test_changed_loss_weights_are_no_jump_after_reset(photos):
    watching = watch()
    looks(watching, photos, range(0, 500, 50))
    watching.forget_losses()
    assert looks(watching, photos, [500, 550], loss=9.0) == []


def test_resumed_monitors_find_what_uninterrupted_ones_do(photos):
    whole, first, second = watch(**STUCK), watch(**STUCK), watch(**STUCK)
    expected = looks(whole, photos, range(0, 600, 50), k=1.0, loss=2.0)
    found = looks(first, photos, range(0, 250, 50), k=1.0, loss=2.0)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    found += looks(second, photos, range(250, 600, 50), k=1.0, loss=2.0)
    assert found == expected
    assert second.state_dict() == whole.state_dict()


def test_a_mistyped_guard_setting_is_refused():
    with pytest.raises(ValidationError, match="greyness"):
        watch(greyness={"ratios": 0.3})


def test_findings_are_recorded_once_and_read_back(photos, tmp_path):
    found = looks(watch(**STUCK), photos, range(0, 350, 50), k=1.0)
    assert record_findings(tmp_path, found) == found
    assert record_findings(tmp_path, found) == []
    assert [tuple(line.values()) for line in read_findings(tmp_path)] == [
        astuple(finding) for finding in found
    ]


def test_truncated_finding_is_skipped(tmp_path):
    (tmp_path / "findings.jsonl").write_text('{"step": 1}\n{"step": 2, "gua')
    assert read_findings(tmp_path) == [{"step": 1}]
