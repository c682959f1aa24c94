"""The benchmark, shortened, with the stub model in place of a bundle."""

import json
from itertools import islice

import pytest
from typer.testing import CliRunner

from tests.helpers.images import decode_image
from tests.performance.__main__ import typer_app
from tests.performance.requests import PICTURES, captions, encode_json
from tests.performance.results import Cell, Results, spread
from tests.performance.suite import Plan
from tests.performance.systems import SYSTEMS

SHORT = ["--bundle", "stub", "--clients", "2", "--seconds", "0.3", "--rounds", "1",
         "--pictures", "64×64", "--captions", "repeated"]  # fmt: skip
CELL = Cell("64×64", "new", 8)


@pytest.mark.server
@pytest.mark.slow
def test_short_run_measures_every_system(tmp_path):
    report, plot = tmp_path / "bench.json", tmp_path / "bench.png"
    made = CliRunner().invoke(typer_app, [*SHORT, "--json", str(report), "--plot", str(plot)])
    assert made.exit_code == 0, made.output
    cells = json.loads(report.read_text())["cells"]
    assert [cell["system"] for cell in cells] == list(SYSTEMS)
    assert all(cell["cpu_ms"]["median"] > 0 for cell in cells)
    assert {"cpu_ms_api", "cpu_ms_worker", "cpu_ms_queue"} < cells[0].keys()
    assert plot.stat().st_size > 10_000


def test_ratios_are_taken_round_by_round():
    results = Results()
    for ours, theirs in ((100, 50), (90, 30)):
        for system, rate in (("captionfill", ours), ("litserve", theirs)):
            results.add(CELL, system, {"req_s": rate, "p50_ms": 1000 / rate, "p99_ms": 9})
    [ratio] = results.ratios()
    assert ratio["req_s"] == {"median": 2.5, "least": 2, "greatest": 3}
    assert ratio["p99_ms"] == {"median": 1, "least": 1, "greatest": 1}


def test_new_captions_are_compared_with_repeated():
    results = Results()
    results.add(Cell("64×64", "repeated", 8), "captionfill", {"req_s": 200})
    results.add(CELL, "captionfill", {"req_s": 150})
    [found] = results.new_against_repeated()
    assert found["req_s"]["median"] == 0.75


def test_spread_is_median_least_and_greatest():
    assert spread([3, 1, 2, 8]) == {"median": 2.5, "least": 1, "greatest": 8}


def test_new_captions_never_repeat():
    assert len(set(islice(captions("new"), 1000))) == 1000
    assert len(set(islice(captions("repeated"), 1000))) == 16


def test_pictures_have_their_sizes():
    assert decode_image(PICTURES["64×64"]()).shape == (64, 64, 3)
    assert json.loads(encode_json(b"\1", "a cat", 7)[1]) == {
        "image": "AQ==", "caption": "a cat", "seed": 7,
    }  # fmt: skip


def test_unknown_system_is_refused():
    with pytest.raises(ValueError, match="no system is called 'torchserve'"):
        Plan([CELL], ["torchserve"], "stub", 1, 1)
