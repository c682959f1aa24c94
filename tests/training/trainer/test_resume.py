"""`resume` checks first and writes after: what does not fit leaves the run as it was."""

import shutil

import pytest

from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.small_run import small_recipe, write_prepared
from training.common.errors import OutputError, RecipeError, RunError, TrainingError
from training.runs.load_run import load_run
from training.runs.metric_logger import read_log
from training.runs.run_dir import RunDir
from training.trainer.run import resume, start


@pytest.fixture(scope="module")
def done(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    start(small_recipe("run.steps=2"), [prepared], folder, no_progress)
    return folder


@pytest.fixture
def run(done, tmp_path):
    shutil.copytree(done, tmp_path / "run")
    return tmp_path / "run"


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["generator.settings.width=16"], "generator does not fit the recipe"),
        (["discriminator.settings.width=8"], "discriminator does not fit the recipe"),
        (["optimizers.generator={ kind = 'rmsprop' }"], "generator_optimizer does not fit"),
        (["run.ema=0.9", "generator.settings.noise_dim=8"], "does not fit the recipe"),
        (["picture.window=128"], r"128|window|picture"),
        (["run.steps=abc"], r"run\.steps: .*integer"),
        (["run.step=9"], r"did you mean steps\?"),
        (["runn.steps=9"], r"did you mean run\?"),
        (["steps=9"], r"steps.*did you mean run\.steps\?"),
        (["run.steps"], "expected key=value"),
        (["=9"], "expected key=value"),
        (["run.steps.more=9"], "is not a table"),
        (["generator.settings.widht=8"], "widht"),
        (["objective.settings.no_such=1"], "no_such"),
        (["generator.kind=no-such"], "no-such"),
    ],
)
def test_misfit_is_one_line_and_changes_nothing(run, changes, says):
    before = contents(run)
    with pytest.raises(TrainingError, match=says) as caught:
        resume(run, ["run.steps=3", *changes], no_progress)
    assert "\n" not in str(caught.value)
    after = contents(run)
    after.pop(next(path for path in after if path.name == "run.lock"), None)
    assert after == {path: data for path, data in before.items() if path.name != "run.lock"}


def test_a_refused_change_leaves_the_run_resumable(run):
    with pytest.raises(TrainingError, match="generator does not fit"):
        resume(run, ["run.steps=3", "generator.settings.width=16"], no_progress)
    resume(run, ["run.steps=3"], no_progress)
    assert [entry["step"] for entry in read_log(run)] == [1, 2, 3]


def test_a_moving_average_cannot_begin_in_the_middle(prepared, tmp_path):
    start(small_recipe("run.steps=1", "run.ema=0"), [prepared], tmp_path / "run", no_progress)
    with pytest.raises(RunError, match="average does not fit the recipe"):
        resume(tmp_path / "run", ["run.ema=0.9", "run.steps=2"], no_progress)
    assert RunDir.open(tmp_path / "run").recipe.run.ema == 0


def test_a_run_that_cannot_start_leaves_no_folder(prepared, tmp_path):
    small = write_prepared(tmp_path / "data")
    recipe = small_recipe()
    (tmp_path / "data/train-00000-of-00001.parquet").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="digest differs"):
        start(recipe, [small], tmp_path / "run", no_progress)
    assert not (tmp_path / "run").exists()
    with pytest.raises(RecipeError):
        start(small_recipe("run.stepz=1"), [prepared], tmp_path / "run", no_progress)


def test_unwritable_run_folder_is_one_line(run):
    (run / "run.lock").unlink()
    (run / "run.lock").mkdir()  # even root cannot open it for writing
    with pytest.raises(OutputError, match="cannot be written: Is a directory"):
        resume(run, ["run.steps=3"], no_progress)
    assert RunDir.open(run).recipe.run.steps == 2


def test_looking_into_a_run_writes_nothing_there(run):
    before = {path: path.stat().st_mtime_ns for path in [run, *run.rglob("*")]}
    load_run(run)
    assert {path: path.stat().st_mtime_ns for path in [run, *run.rglob("*")]} == before


@pytest.fixture
def cuda_run(run):
    """A run whose record says that it was trained on CUDA, on a machine without."""
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace('"device": "cpu"', '"device": "cuda"'))
    return run


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def test_cuda_run_is_inspected_without_gpu(cuda_run):
    assert next(load_run(cuda_run).generator.parameters()).device.type == "cpu"


def test_resuming_cuda_run_without_gpu_is_one_line(cuda_run):
    with pytest.raises(RunError, match=r"finds no GPU here: --set engine\.device=cpu"):
        resume(cuda_run, ["run.steps=3"], no_progress)
    resume(cuda_run, ["run.steps=3", "engine.device=cpu"], no_progress)


def test_starting_on_cuda_without_gpu_is_one_line(prepared, tmp_path):
    with pytest.raises(RunError, match="finds no GPU here"):
        start(small_recipe("engine.device=cuda"), [prepared], tmp_path / "run", no_progress)
    assert not (tmp_path / "run").exists()
