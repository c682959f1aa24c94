import json

import pytest
from PIL import Image

from tests.training.experiments.untrained import pixels, untrained
from training.common.errors import RunError
from training.experiments.began import m_and_kid as tracing
from training.runs.checkpoints.snapshots import save_snapshot
from training.runs.load_run import load_run


def logged(*values):
    return [{"step": 10 * (i + 1), "state/M": value} for i, value in enumerate(values)]


def test_m_is_averaged_over_a_centred_window():
    log = logged(1.0, 2.0, 6.0, 4.0, 9.0)
    means = tracing.smooth_m(log, [10, 20, 30, 50], 20, "run")
    assert means == {10: 1.5, 20: 3.0, 30: 4.0, 50: 6.5}


@pytest.mark.parametrize(
    ("log", "steps", "message"),
    [
        ([{"step": 1, "discriminator/real": 0.1}], [1, 2, 3, 4], "logs no M: .* no BEGAN run"),
        (logged(1.0, 2.0), [10, 20], "2 snapshots and 4 are needed"),
        (logged(1.0, 2.0), [10, 20, 30, 90], "logged no M within 5 steps of step 30"),
    ],
)
def test_what_cannot_be_correlated_is_one_clear_line(log, steps, message):
    with pytest.raises(RunError, match=message):
        tracing.smooth_m(log, steps, 10, "run")


def test_shared_trend_is_told_from_shared_movement():
    means, kids = [9, 7, 6, 3, 2], [20, 19, 15, 14, 10]  # both fall, in turns
    rows = [
        {"step": step, "M": m, "kid": {"mean": k}}
        for step, (m, k) in enumerate(zip(means, kids, strict=True))
    ]
    found = tracing.correlations(rows, 0)
    assert found["M and KID"].rho == pytest.approx(1)
    assert found["M and step"].rho == found["KID and step"].rho == pytest.approx(-1)
    assert found["their changes"].rho < 0


def test_every_snapshot_is_measured_with_its_own_weights(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(tracing, "require_extractor", lambda: pixels)
    run = untrained(tmp_path / "run", prepared, "began")
    generator = load_run(run).generator
    for number in range(1, 5):
        for weight in generator.parameters():
            weight.data *= 1.5
        save_snapshot(run, 10 * number, generator)
    lines = [json.dumps(line) + "\n" for line in logged(4.0, 3.0, 3.5, 1.0)]
    (run / "log.jsonl").write_text("".join(lines))
    tracing.m_and_kid(run, out=tmp_path / "m.json", count=6, window=5)
    results = json.loads((tmp_path / "m.json").read_text())["results"]
    assert [(row["step"], row["M"]) for row in results["rows"]] == [
        (10, 4.0),
        (20, 3.0),
        (30, 3.5),
        (40, 1.0),
    ]
    assert len({row["kid"]["mean"] for row in results["rows"]}) == 4
    assert Image.open(tmp_path / "m.png").width > 500
