"""Verdicts are computed, and every measure is written with its bounds."""

import pytest

from training.evaluation.benchmarks.measurement import Measurement
from training.evaluation.benchmarks.suite import BENCHMARKS, COMPARISONS
from training.evaluation.benchmarks.targets import TARGETS
from training.evaluation.metrics.confidence import Interval
from training.evaluation.report import measurements_markdown


@pytest.mark.parametrize(
    ("measure", "value", "interval", "verdicts"),
    [
        ("kid_ratio", 0.25, None, (True, False)),
        ("kid_ratio", 0.12, None, (True, True)),
        ("psnr_draw", -1.01, (-1.2, -0.9), (False, False)),
        ("seam", 1.06, None, (True, False)),
        ("captions_help", 6.0, (-0.1, 12.0), (False, False)),
        ("captions_help", 2.0, (1.0, 3.0), (True, False)),
        ("colour_words", 0.62, (0.49, 0.7), (False, False)),
        ("colour_words", 0.76, (0.7, 0.8), (True, True)),
        ("ranking", 0.01, (0.005, 0.015), (True, None)),
        ("milliseconds", 3.0, None, (True, True)),
    ],
)
def test_pass_or_fail_follows_from_figure_and_interval(measure, value, interval, verdicts):
    ends = Interval(value, *interval) if interval else None
    assert Measurement(value, interval=ends, measure=measure).pass_fail == verdicts


def test_missing_measurement_passes_nothing_and_says_why():
    figure = Measurement(None, missing="no judge", measure="captions_steer")
    assert figure.pass_fail == (None, None)
    assert "not measured: no judge" in "".join(measurements_markdown([figure]))


def test_the_markdown_has_bounds_verdicts_and_definition():
    figure = Measurement(
        0.2, "9 pictures", network="eyes, sha256:1", measure="kid_ratio", data="dev"
    )
    text = "\n".join(measurements_markdown([figure]))
    assert "| dev | 0.200 | ≤ 0.250 | met | ≤ 0.125 | not met | 9 pictures |" in text
    assert TARGETS["kid_ratio"].definition in text and "seen by eyes, sha256:1" in text


def test_every_measure_has_a_benchmark_and_a_definition():
    assert set(TARGETS) == {*BENCHMARKS, *COMPARISONS}
    assert all(target.title and target.definition for target in TARGETS.values())
