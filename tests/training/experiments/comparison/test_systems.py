"""The table of all systems: what it reads from logs, and what it leaves."""

import json

import pytest
from PIL import Image

from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.finished_run import write_run
from tests.helpers.training.small_run import small_recipe
from training.data.manifest import Manifest
from training.experiments.comparison.columns import Column
from training.experiments.comparison.compare import Kind, compare
from training.experiments.comparison.quality import quality_tables
from training.runs.cost import run_cost, training_minutes
from training.runs.run_dir import RunDir
from training.trainer.run import start


def log(times, **figures):
    lines = [{"step": 10 * i, "time": time} for i, time in enumerate(times, start=1)]
    return [
        line | {"time/images_per_second": 60.0, **{f"state/{n}": v[i] for n, v in figures.items()}}
        for i, line in enumerate(lines)
    ]


def test_minutes_exclude_the_time_a_run_was_stopped():
    assert training_minutes(log([0, 60, 120, 10_000, 10_060])) == 3.0


def test_images_seen_count_every_critic_step(tmp_path):
    run = RunDir.create(tmp_path, small_recipe("optimizers.critic_steps=5"), {})
    assert run_cost(run, log([0, 60]))["images_seen"] == 20 * 4 * 5


def test_m_is_the_mean_over_the_last_tenth(tmp_path):
    run = RunDir.create(tmp_path, small_recipe(), {})
    found = run_cost(run, log(range(20), M=[9.0] * 18 + [1.0, 3.0]))
    assert found["M"] == 2.0
    assert "wasserstein" not in found


def test_missing_figure_is_dash_and_empty_column_dropped():
    rows = [{"run": "a", "whole": True, "M": 0.5}, {"run": "b", "whole": True}]
    text = quality_tables(rows)
    assert "| b | – |" in text
    assert "PSNR" not in text
    assert Column("minutes", "minutes", 1).cell({"minutes": 25.04}) == "25.0"


@pytest.fixture(scope="module")
def found(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("systems")
    start(small_recipe("run.steps=2", "keep.every=0"), [prepared], folder / "run", no_progress)
    compare([folder / "run"], folder / "systems.json", kind=Kind.SYSTEMS, count=8)
    return folder


def test_systems_table_comes_as_json_markdown_and_pictures(found):
    row = json.loads((found / "systems.json").read_text())["results"]["rows"][0]
    assert row["pictures"] == 8
    assert row["hole_psnr"] > 0
    assert f"{row['hole_psnr']:.2f}" in (found / "systems.md").read_text()
    assert Image.open(found / "systems.png").height > 3 * 64  # context, the run, real


def test_run_without_checkpoint_is_named(tmp_path, prepared):
    from training.common.errors import RunError

    write_run(tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["data"] = {str(prepared): Manifest.load(prepared).digest}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="no checkpoint in"):
        compare([tmp_path / "run"], tmp_path / "systems.json", kind=Kind.SYSTEMS)
