"""Runs: what they leave, how they stop, and that they resume exactly."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import training.trainer.trainer
from tests.helpers.training.callbacks import StopError, no_progress, stop_at_three
from tests.helpers.training.run_comparison import assert_same_end
from tests.helpers.training.small_run import SMALL, small_recipe
from training.common.errors import NonFiniteError, RunError
from training.runs.checkpoints.checkpoint import load_checkpoint
from training.runs.metric_logger import read_log
from training.runs.run_dir import RunDir
from training.trainer.build import build_trainer
from training.trainer.callbacks import dropout_at
from training.trainer.run import resume, start
from training.trainer.trainer import work_clock


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """An uninterrupted run of six steps."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    start(small_recipe(), [prepared], folder, no_progress)
    return folder


def test_run_leaves_log_grids_checkpoint_and_record(whole):
    assert [entry["step"] for entry in read_log(whole)] == [1, 2, 3, 4, 5, 6]
    grids = sorted(p.name for p in (whole / "samples").iterdir())
    assert grids == [f"{k}-{s:08d}.png" for k in ("fixed", "fresh") for s in (0, 3, 6)]
    record = json.loads((whole / "run.json").read_text())
    assert record["recipe"]["run"]["steps"] == 6
    assert {"data", "revision", "libraries"} <= record.keys()
    assert any((whole / "tensorboard").iterdir())


def test_same_recipe_seed_and_data_reproduce_a_run(whole, prepared, tmp_path):
    start(small_recipe(), [prepared], tmp_path / "again", no_progress)
    assert_same_end(whole, tmp_path / "again")


def test_another_seed_gives_another_run(whole, prepared, tmp_path):
    start(small_recipe("run.seed=1"), [prepared], tmp_path / "other", no_progress)
    with pytest.raises(AssertionError):
        assert_same_end(whole, tmp_path / "other")


def test_an_interrupted_run_resumes_to_the_same_weights(whole, prepared, tmp_path):
    folder = tmp_path / "cut"
    with pytest.raises(StopError):
        start(small_recipe(), [prepared], folder, stop_at_three)
    assert load_checkpoint(folder / "checkpoints")[0] == 2  # so step 3 is done over again
    resume(folder, [], no_progress)
    assert_same_end(whole, folder)
    assert [entry["step"] for entry in read_log(folder)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_run_killed_by_sigkill_resumes_to_same_weights(whole, prepared, tmp_path):
    folder = tmp_path / "killed"
    settings = [part for change in SMALL for part in ("--set", change)]
    command = [sys.executable, "-m", "training.cli", "train", "inpaint-gan"]
    process = subprocess.Popen(
        [*command, "--data", str(prepared), "--run", str(folder), *settings],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob("checkpoints/step-*")) and process.poll() is None:
        assert time.monotonic() < deadline, "no checkpoint in two minutes"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    torch.set_num_threads(1)
    resume(folder, [], no_progress)
    assert_same_end(whole, folder)


def test_signal_during_a_step_leaves_exact_checkpoint(whole, prepared, tmp_path, monkeypatch):
    step_a_player = training.trainer.trainer.update

    def update(optimizer, player, terms, step):
        if (player, step) == ("generator", 3):  # the discriminator has just stepped
            os.kill(os.getpid(), signal.SIGTERM)
        return step_a_player(optimizer, player, terms, step)

    monkeypatch.setattr(training.trainer.trainer, "update", update)
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        start(small_recipe(), [prepared], folder, no_progress)
    monkeypatch.undo()
    assert load_checkpoint(folder / "checkpoints")[0] == 4
    resume(folder, [], no_progress)
    assert_same_end(whole, folder)


def test_running_training_refuses_a_second_process(whole):
    with RunDir.open(whole).locked(), pytest.raises(RunError, match="by another process"):
        resume(whole, ["run.steps=7"], no_progress)


def test_dropout_switches_on_in_the_middle():
    recipe = small_recipe("dropout.start=0.5", "dropout.probability=0.3")
    assert [dropout_at(recipe, step) for step in (0, 2, 3, 5)] == [0.0, 0.0, 0.3, 0.3]


def test_nonfinite_term_stops_run_before_the_step(prepared, pictures, tmp_path):
    recipe = small_recipe()
    run = RunDir.create(tmp_path / "run", recipe, {str(prepared): pictures.manifest.digest})
    trainer = build_trainer(run, [pictures], no_progress, no_progress)
    state = trainer.state
    with torch.no_grad():
        state.discriminator.classifier[0].bias.fill_(torch.nan)
    before = {k: v.clone() for k, v in state.generator.named_parameters()}
    with pytest.raises(NonFiniteError, match="discriminator/real is nan at step 0"):
        trainer.train_step(0)
    assert all(torch.equal(before[k], v) for k, v in state.generator.named_parameters())


def test_each_feature_of_first_system_can_be_disabled(prepared, tmp_path):
    plain = small_recipe(
        "run.steps=1",
        "run.ema=0",
        "dropout.probability=0",
        "augment={ flip = false, rotate = 0, drop_caption = 0 }",
        "objective.settings={ feature_matching = 0, l2 = 0, mismatch = 0 }",
        "generator.settings.noise_dim=0",
    )
    start(plain, [prepared], tmp_path / "plain", no_progress)
    terms = {k for k in read_log(tmp_path / "plain")[-1] if k.startswith("generator/")}
    assert terms == {"generator/adversarial"}


def test_bf16_channels_last_stays_near_fp32(prepared, tmp_path):
    start(small_recipe("run.steps=2"), [prepared], tmp_path / "fp32", no_progress)
    bf16 = ["engine.precision=bf16", "engine.channels_last=true", "run.steps=2"]
    start(small_recipe(*bf16), [prepared], tmp_path / "bf16", no_progress)
    exact, near = (read_log(tmp_path / name)[0] for name in ("fp32", "bf16"))
    assert near["discriminator/real"] == pytest.approx(exact["discriminator/real"], rel=0.05)


def test_a_run_directory_is_not_overwritten(whole, prepared):
    with pytest.raises(RunError, match="holds a run already"):
        start(small_recipe(), [prepared], whole, no_progress)


def test_resume_goes_on_for_longer_when_told(whole, prepared, tmp_path):
    folder = tmp_path / "longer"
    start(small_recipe("run.steps=4", "dropout.start=0"), [prepared], folder, no_progress)
    resume(folder, ["run.steps=5"], no_progress)
    assert load_checkpoint(folder / "checkpoints")[0] == 5


def test_run_stops_after_its_minutes_and_can_resume(prepared, tmp_path, monkeypatch):
    readings = itertools.count(step=20.0)  # each step seems to take 20 seconds
    monkeypatch.setattr(training.trainer.trainer, "work_clock", lambda device: next(readings))
    folder = tmp_path / "run"
    start(small_recipe("run.minutes=1"), [prepared], folder, no_progress)
    assert load_checkpoint(folder / "checkpoints")[0] == 3
    assert (folder / "samples" / "fresh-00000003.png").is_file()
    assert read_log(folder)[-1]["time/minutes"] == 1
    resume(folder, [], no_progress)
    assert load_checkpoint(folder / "checkpoints")[0] == 3
    resume(folder, ["run.minutes=1.3"], no_progress)
    assert load_checkpoint(folder / "checkpoints")[0] == 4
    resume(folder, ["run.minutes=0"], no_progress)
    assert load_checkpoint(folder / "checkpoints")[0] == 6


def test_work_is_processor_time_and_waiting_is_none():
    cpu = torch.device("cpu")
    began = work_clock(cpu)
    time.sleep(0.3)
    rested, busy = work_clock(cpu), time.thread_time()
    while time.thread_time() - busy < 0.2:  # however long that takes beside others
        pass
    assert rested - began < 0.1
    assert work_clock(cpu) - rested >= 0.19 / torch.get_num_threads()


def test_a_rate_changed_at_resume_is_heard(prepared, pictures, tmp_path):
    folder = tmp_path / "run"
    start(small_recipe("run.steps=2"), [prepared], folder, no_progress)
    resume(folder, ["run.steps=3", "optimizers.generator.lr=0.5"], no_progress)
    saved = load_checkpoint(folder / "checkpoints")[1]["generator_optimizer"]
    assert saved["param_groups"][0]["lr"] == 0.5
    changes = json.loads((folder / "run.json").read_text())["changes"]
    assert changes == [{"step": 2, "set": ["run.steps=3", "optimizers.generator.lr=0.5"]}]


def test_a_run_can_begin_with_the_pixels_alone(prepared, tmp_path):
    alone = small_recipe(
        "run.steps=2", "objective.settings.adversarial=0", "objective.settings.feature_matching=0"
    )
    start(alone, [prepared], tmp_path / "run", no_progress)
    terms = [k for k in read_log(tmp_path / "run")[-1] if k.split("/")[0].endswith("tor")]
    assert terms == ["generator/l2"]
    resume(tmp_path / "run", ["run.steps=3", "objective.settings.adversarial=1"], no_progress)
    assert "discriminator/fake" in read_log(tmp_path / "run")[-1]


def test_resume_without_a_run_is_one_clear_error(tmp_path):
    with pytest.raises(RunError, match="no run in"):
        resume(tmp_path, [], no_progress)
