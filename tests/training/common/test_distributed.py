"""Several processes train one run as one would: gloo on the CPU, two ranks."""

import os
import signal
import subprocess
import sys

import pytest

from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.processes import run_ranks
from tests.helpers.training.run_comparison import assert_same_end
from tests.helpers.training.small_run import SMALL
from training.common.distributed import init_process_group
from training.common.errors import RunError
from training.config.load import load_recipe
from training.runs.checkpoints.checkpoint import load_checkpoint
from training.runs.metric_logger import read_log
from training.trainer.run import resume, start

pytestmark = pytest.mark.slow

# A mean of two halves is rounded otherwise than the mean of the whole, and no more: what is logged
# before anything was stepped. Then Adam makes a whole step (1e-4) of a gradient that is next to
# nothing, whatever its sign: a critic of untrained scores, some 1e-4, moves by a share of that.
BEFORE, AFTER = {"rel": 1e-6}, {"rel": 1e-5, "abs": 1e-4}
# Each process draws dropout for its own rows, and so not what one would for all.
CURVE = [*SMALL, "run.steps=4", "run.sample_every=4", "dropout.probability=0"]
# Without batch norm, whose statistics are each rank's own on a CPU.
INPAINT = 'generator.kind="inpaint-began"'
JUDGE = "discriminator.settings={ caption_code = 4, width = 4, batch_norm = false }"
RECIPES = {
    "inpaint-began": [
        "discriminator.settings={ width = 4, code = 4, caption_code = 4 }",
        # k must move for it to be worth comparing.
        "objective.settings.lambda_k=0.5",
    ],
    "inpaint-wgan-gp": [INPAINT, JUDGE, "optimizers.critic_steps=1"],
}


def changes(name):
    return [*CURVE, *RECIPES[name]]


def curve(folder):
    """Logged figures but for times, by step."""
    entries = read_log(folder)
    return [{k: v for k, v in e.items() if not k.startswith("time")} for e in entries]


def assert_same_curve(one, other):
    expected, found = curve(one), curve(other)
    assert len(expected) == len(found) == 4
    unstepped = [key for key in expected[0] if key.startswith("discriminator/")]
    for key in unstepped:  # one critic step a step: its terms come first
        assert found[0][key] == pytest.approx(expected[0][key], **BEFORE)
    for one_step, other_step in zip(expected, found, strict=True):
        assert other_step == pytest.approx(one_step, **AFTER)


def train(name, data, folder, more=()):
    start(load_recipe(name, [*changes(name), *more]), [data], folder, no_progress)


def train_and_signal(name, data, folder, number, rank):
    """Train, and send one rank a signal when three of the four steps are done."""

    def stop(step, figures):
        if step == 3 and os.environ["RANK"] == str(rank):
            os.kill(os.getpid(), number)

    start(load_recipe(name, changes(name)), [data], folder, stop)


def go_on(folder):
    resume(folder, [], no_progress)


@pytest.fixture(scope="module")
def pair(prepared, tmp_path_factory):
    """A run of two ranks that nobody interrupted."""
    folder = tmp_path_factory.mktemp("ranks") / "pair"
    assert run_ranks(train, "inpaint-wgan-gp", prepared, folder) == [0, 0]
    return folder


def test_two_torchrun_ranks_follow_the_one_process_curve(prepared, tmp_path):
    name, one, two = "inpaint-began", tmp_path / "one", tmp_path / "two"
    train(name, prepared, one)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    settings = [part for change in changes(name) for part in ("--set", change)]
    command = ["-m", "training.cli", "train", name, "--data", str(prepared), "--run-dir", str(two)]
    done = subprocess.run(
        [*torchrun, *command, *settings],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done; look at") == 1
    assert_same_curve(one, two)
    assert {"state/k", "state/M", "state/g"} <= curve(two)[-1].keys()
    assert curve(two)[0]["state/k"] != curve(two)[-1]["state/k"] > 0


def test_two_ranks_draw_what_one_process_does(pair, prepared, tmp_path):
    """The gradient penalty's points and the wrong captions too."""
    train("inpaint-wgan-gp", prepared, tmp_path / "one")
    assert {"discriminator/gradient_penalty", "discriminator/mismatch"} <= curve(pair)[0].keys()
    assert_same_curve(tmp_path / "one", pair)


def test_a_streamed_set_is_split_over_ranks(prepared, tmp_path):
    stream = ["loading.stream=true", "loading.lanes=4"]
    train("inpaint-wgan-gp", prepared, tmp_path / "one", stream)
    assert run_ranks(train, "inpaint-wgan-gp", prepared, tmp_path / "two", stream) == [0, 0]
    assert_same_curve(tmp_path / "one", tmp_path / "two")


def test_killed_ranks_resume_to_the_same_weights(pair, prepared, tmp_path):
    cut = tmp_path / "cut"
    codes = run_ranks(train_and_signal, "inpaint-wgan-gp", prepared, cut, signal.SIGKILL, 1)
    assert codes[1] == -signal.SIGKILL
    assert codes[0] != 0
    assert load_checkpoint(cut / "checkpoints")[0] == 2
    assert run_ranks(go_on, cut) == [0, 0]
    assert_same_end(pair, cut)


def test_signal_to_one_rank_stops_all_and_resumes(pair, prepared, tmp_path):
    cut = tmp_path / "cut"
    codes = run_ranks(train_and_signal, "inpaint-wgan-gp", prepared, cut, signal.SIGTERM, 1)
    assert 0 not in codes
    assert load_checkpoint(cut / "checkpoints")[0] == 3
    resume(cut, [], no_progress)
    assert_same_curve(pair, cut)


def test_batch_that_cannot_be_split_evenly_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(RunError, match=r"run\.batch_size 64 cannot be split evenly over 3 ranks"):
        init_process_group("cpu", 64)
