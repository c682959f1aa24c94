"""The whole way: prepare, train, kill, resume, evaluate, export, serve."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

from training.cli.main import app
from training.evaluation.methods import OTHER_CENTRE, TELEA, TRUE_CAPTION

ROOT = Path(__file__).resolve().parents[2]
SHORT = [
    "run.steps=12",
    "run.batch_size=4",
    "run.log_every=1",
    "run.sample_every=6",
    "run.checkpoint_every=4",
    "generator.settings={ width = 8, decoder_width = 8 }",
    "discriminator.settings={ width = 8 }",
]


def command(*arguments):
    """A command line of the README in a process of its own, run from this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "training.cli", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(process):
    """Wait for a command and return what it printed."""
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    return out


def in_process(*arguments):
    """The same command in the tests' own process, which has loaded what it needs."""
    app([*map(str, arguments)], standalone_mode=False)


def train_and_kill(recipe, data, run, *settings):
    """Start a training and kill it with SIGKILL once it has left a checkpoint."""
    changes = [part for change in settings for part in ("--set", change)]
    process = command("train", recipe, *data, "--run", run, *changes)
    while not list(run.glob("checkpoints/step-*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def ask(service, picture, caption):
    """Send a picture to a running service."""
    files = {"image": ("picture", picture.read_bytes())}
    form = {"caption": caption}
    return httpx.post(f"{service.address}/inpaint", files=files, data=form, timeout=60)


def processor_seconds():
    """What this process and those it has waited for have computed: no matter what ran beside."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.timeout(600)
def test_whole_pipeline_with_five_pictures_takes_two_minutes(tiny_folder, tmp_path, serve):
    began = processor_seconds()
    data, run, bundle = tmp_path / "data", tmp_path / "run", tmp_path / "bundle"
    done(command("prepare", "folder", tiny_folder, data))
    train_and_kill("inpaint-gan", ["--data", data], run, *SHORT)
    in_process("resume", run)
    table = tmp_path / "table.json"
    where = ["--data", data, "--split", "train"]
    in_process("evaluate", run, *where, "--json", table)
    in_process("export", run, bundle)
    service = serve(bundle)
    answer = ask(service, tiny_folder / "red.png", "a red square")
    assert service.stop() == 0

    assert {row["method"] for row in json.loads(table.read_text())["rows"]} > {TELEA, TRUE_CAPTION}
    assert table.with_suffix(".md").is_file()
    assert table.with_suffix(".png").is_file()
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == Image.open(tiny_folder / "red.png").size
    assert (
        json.loads((bundle / "config.json").read_text())["digest"]
        == (answer.headers["X-Bundle-Digest"])
    )
    assert processor_seconds() - began < 120


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(600)
def test_the_real_data_sets_go_the_same_way(real_data, tmp_path):
    flickr, tiny, run = tmp_path / "flickr", tmp_path / "tiny", tmp_path / "run"
    limit = ["--limit", "24"]
    in_process("prepare", "flickr8k", real_data / "flickr8k", flickr, "--size", "72", *limit)
    in_process("prepare", "tiny-imagenet", real_data / "tiny-imagenet-200", tiny, *limit)
    data = ["--data", flickr, "--data", tiny]
    train_and_kill("inpaint-gan", data, run, *SHORT)
    in_process("resume", run)
    table, grid = tmp_path / "dev.json", tmp_path / "grid.png"
    in_process("evaluate", run, "--data", flickr, "--split", "dev", "--json", table)
    in_process("sample", run, "--data", tiny, "--split", "val", "-o", grid, "--rows", "4")

    rows = {row["method"]: row for row in json.loads(table.read_text())["rows"]}
    assert rows[TELEA]["hole_psnr"] > rows[OTHER_CENTRE]["hole_psnr"]
    assert Image.open(grid).size[0] > 6 * 64
