"""A run over training, shown of its samples and its log alone."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.helpers.training.finished_run import write_run
from training.common.errors import RunError
from training.common.image_grid import BACKGROUND
from training.experiments import sample_history
from training.experiments.loss_curves import losses
from training.experiments.sample_history import SIDE, STRIP, animate, progress

STEPS = [0, 5, 10, 15, 20, 25]


def colour(kind, step):
    """What a grid of a step is painted in: no two alike, fixed reddish and fresh bluish."""
    return (220, 8 * step, 0) if kind == "fixed" else (0, 8 * step, 220)


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path / "run")
    for old in (tmp_path / "run" / "samples").iterdir():
        old.unlink()
    for kind in ("fixed", "fresh"):
        for step in STEPS:
            path = tmp_path / "run" / "samples" / f"{kind}-{step:08d}.png"
            Image.new("RGB", (100, 60), colour(kind, step)).save(path)
    return tmp_path / "run"


def colours(picture):
    """The colours along the middles of both rows of a sheet, each once, in order."""
    pixels = np.asarray(picture.convert("RGB"))
    rows = [pixels[len(pixels) // 4 + 12], pixels[3 * len(pixels) // 4 + 12]]
    found = [list(dict.fromkeys(map(tuple, row.tolist()))) for row in rows]
    return [[one for one in row if one != BACKGROUND] for row in found]


def test_sheet_orders_steps_with_fixed_above_fresh(run, tmp_path):
    progress(run, tmp_path / "out.json", steps=3)
    said = json.loads((tmp_path / "out.json").read_text())["results"]["sheet"]["steps"]
    assert said == [0, 10, 25]
    shown = colours(Image.open(tmp_path / "out.png"))
    assert shown == [[colour(kind, step) for step in said] for kind in ("fixed", "fresh")]


def test_the_animations_have_every_step_in_order(run, tmp_path):
    progress(run, tmp_path / "out.json")
    said = json.loads((tmp_path / "out.json").read_text())["results"]["animations"]["fresh"]
    assert said["steps"] == STEPS
    moving = Image.open(tmp_path / said["file"])
    greens = []
    for place in range(moving.n_frames):
        moving.seek(place)
        greens.append(moving.convert("RGB").getpixel((50, 60))[1])
    assert greens == pytest.approx([8 * step for step in STEPS], abs=4)


def test_animation_is_bounded_in_frames_side_and_bytes(tmp_path, monkeypatch):
    noise = np.random.default_rng(0)
    paths = {step: tmp_path / f"{step}.png" for step in range(14)}
    for path in paths.values():
        Image.fromarray(noise.integers(0, 256, (900, 60, 3), np.uint8)).save(path)
    whole, steps = animate(paths, "noise", most=12)
    assert len(steps) == 12
    monkeypatch.setattr(sample_history, "MAX_BYTES", len(whole) - 1)
    content, steps = animate(paths, "noise", most=12)
    assert len(content) < len(whole) and len(steps) == 6
    assert (steps[0], steps[-1]) == (0, 13)
    assert Image.open(io.BytesIO(content)).height == SIDE + STRIP


def test_truncated_sample_grid_is_named(run, tmp_path):
    broken = run / "samples" / "fixed-00000025.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(RunError, match=r"fixed-00000025\.png cannot be read as a picture"):
        progress(run, tmp_path / "out.json")


def test_a_run_without_samples_is_refused(run, tmp_path):
    for path in (run / "samples").iterdir():
        path.unlink()
    with pytest.raises(RunError, match="no step has a fixed and a fresh sample grid"):
        progress(run, tmp_path / "out.json")


def test_losses_tell_first_last_least_and_the_end(tmp_path):
    folder = tmp_path / "run"
    write_run(folder)
    lines = [
        {"step": s, "time": 0.0, "state/M": float(abs(s - 60)), "time/images_per_second": 1.0}
        for s in range(1, 101)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    losses([folder], tmp_path / "out.json")
    figures = json.loads((tmp_path / "out.json").read_text())["results"]["figures"]["run"]
    assert list(figures) == ["state/M"]
    assert figures["state/M"] == {
        "points": 100,
        "first": {"step": 1, "value": 59.0},
        "last": {"step": 100, "value": 40.0},
        "min": {"step": 60, "value": 0.0},
        "end": (37 + 38 + 39 + 40) / 4,
    }


def test_runs_are_overlaid_and_each_is_told(tmp_path):
    for name in ("one", "other"):
        write_run(tmp_path / name)
    losses([tmp_path / "one", tmp_path / "other"], tmp_path / "out.json")
    figures = json.loads((tmp_path / "out.json").read_text())["results"]["figures"]
    assert list(figures) == ["one", "other"]
    assert figures["one"].keys() == {"discriminator/real", "generator/l2"}
    pixels = np.asarray(Image.open(tmp_path / "out.png").convert("RGB")).astype(int)
    orange = abs(pixels - (255, 127, 14)).sum(axis=2) < 60
    assert orange.sum() > 100


def test_a_run_that_has_logged_nothing_is_refused(tmp_path):
    write_run(tmp_path / "run")
    (tmp_path / "run" / "log.jsonl").write_text("")
    with pytest.raises(RunError, match="nothing is logged yet"):
        losses([tmp_path / "run"], tmp_path / "out.json")
