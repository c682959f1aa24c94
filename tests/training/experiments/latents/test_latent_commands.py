"""Interpolation, arithmetic and captions on runs trained for a step or two."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from models.captions import CaptionEncoder
from training.cli import main as cli
from training.common.errors import PreparedDataError
from training.config.load import load_recipe
from training.experiments.captions.caption_interpolation import (
    amplified_difference,
    caption_path,
    generate_along_captions,
    measure_moves,
    same_sentence,
)
from training.experiments.latents.arithmetic import arithmetic
from training.experiments.latents.contexts import generate_rows, generated_part, held_out_contexts
from training.experiments.latents.interpolation import interpolation
from training.runs.generate import generate
from training.runs.load_run import load_run
from training.trainer.run import start

BRIEF = ["run.steps=2", "run.batch_size=4", "keep.every=0", 'engine={ device = "cpu" }']
WHOLE = [
    "picture.size=32",
    "picture.view=shrink",
    *(f"{p}.settings.{s}" for p in ("generator", "discriminator") for s in ("size=32", "width=4")),
]
# Its fills differ from the first step on.
FILLING = [
    "generator.settings={ caption_code = 4, noise_dim = 4, width = 8, decoder_width = 4 }",
    "discriminator.settings={ width = 4, code = 4, caption_code = 4 }",
    "run.ema=0",
]


@pytest.fixture(scope="module")
def runs(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    recipes = {
        "whole": load_recipe("dcgan", [*BRIEF, *WHOLE]),
        "filling": load_recipe("inpaint-began", [*BRIEF, *FILLING]),
    }
    for name, recipe in recipes.items():
        start(recipe, [prepared], folder / name, lambda step, figures: None)
    return folder


def results(path):
    return json.loads(path.read_text())["results"]


@pytest.mark.parametrize("name", ["whole", "filling"])
def test_interpolation_measures_both_ways_between_the_same_ends(name, runs, tmp_path):
    interpolation(runs / name, tmp_path / "out.json", count=4, steps=3)
    found = results(tmp_path / "out.json")
    assert found["linear"]["levels"]["straight"] == found["spherical"]["levels"]["straight"]
    assert found["spherical"]["levels"]["path"] >= found["spherical"]["levels"]["straight"] > 0
    # Three pairs in two rows each, and three of the square, of 128 pixels.
    assert Image.open(tmp_path / "out.png").height == 9 * 132 + 2 * 30


def test_path_pictures_equal_those_of_each_noise(runs):
    run = load_run(runs / "filling")
    batch, texts = held_out_contexts(run, 2, None, "train", seed=1)
    noise = run.noise(6).unflatten(0, (2, 3))
    made = generate_rows(run, batch, noise)
    assert torch.equal(made[:, 2], generate(run.generator, batch, noise[:, 2]))
    assert len(texts) == 2 and generated_part(run, made).shape == (2, 3, 3, 32, 32)


@pytest.mark.parametrize("name", ["whole", "filling"])
def test_arithmetic_tells_results_from_chance_and_from_pixels(name, runs, tmp_path):
    arithmetic(runs / name, tmp_path / "out.json", count=24, rounds=2)
    found = results(tmp_path / "out.json")
    groups = torch.tensor(list(found["groups"].values()))
    assert groups.sign().tolist() == [[1, 1], [-1, 1], [-1, -1]]
    assert all(0 <= found[kind]["met"] <= 1 for kind in ("latents", "jittered", "pixels"))
    assert found["noise"] == ("uniform" if name == "whole" else "normal")


def test_caption_path_moves_the_fill_to_the_other(runs, tmp_path):
    caption_path(runs / "filling", tmp_path / "out.json", count=4, steps=3)
    found = results(tmp_path / "out.json")
    assert found["to"] == found["from"][1:] + found["from"][:1]
    assert found["from_start"][0] == 0
    assert found["from_start"][-1] == pytest.approx(found["caption"]["mean"])
    assert found["way"]["path"] == pytest.approx(sum(found["steps"]))


def test_along_captions_nothing_but_the_caption_changes(runs):
    run = load_run(runs / "filling")
    batch, _ = held_out_contexts(run, 2, None, "train", seed=1)
    other = batch._replace(caption=batch.caption.flip(0))
    noise = run.noise(2)
    made = generate_along_captions(
        run, batch, torch.stack([batch.caption, other.caption], dim=1), noise
    )
    assert torch.equal(made[:, 0], generate(run.generator, batch, noise))
    assert torch.equal(made[:, 1], generate(run.generator, other, noise))


def test_caption_and_noise_moves_are_mean_levels():
    along = torch.tensor([10, 12, 20]).byte().view(1, 3, 1, 1, 1).expand(2, 3, 3, 4, 4)
    draws = torch.tensor([50, 55, 50]).byte().view(1, 3, 1, 1, 1).expand(2, 3, 3, 4, 4)
    found = measure_moves(along, draws)
    assert (found["from_start"], found["steps"]) == ([0, 2, 10], [2, 8])
    assert found["noise"] == {"mean": 5, "low": 5, "high": 5}


def test_a_change_is_amplified_around_mid_grey():
    first = torch.tensor([100, 100, 100]).byte().view(1, 3, 1, 1)
    last = torch.tensor([100, 102, 60]).byte().view(1, 3, 1, 1)
    assert amplified_difference(first, last).flatten().tolist() == [128, 144, 0]


class Letters:
    """A sentence encoder that counts eight letters."""

    def encode(self, sentences):
        counts = [[text.count(letter) for letter in "abcdefgh"] for text in sentences]
        return np.array(counts, np.float32)


def encoder(fingerprint):
    return CaptionEncoder("test", 8, fingerprint, Letters())


def test_a_sentence_given_is_embedded_for_every_context(runs, monkeypatch):
    monkeypatch.setattr(CaptionEncoder, "load", lambda name: encoder("sha256:test"))
    texts, vectors = same_sentence(load_run(runs / "filling"), "a bad cab", 3)
    assert texts == ["a bad cab"] * 3
    assert vectors.tolist() == [[3, 2, 1, 1, 0, 0, 0, 0]] * 3


def test_sentence_is_refused_for_another_encoder(runs, monkeypatch):
    monkeypatch.setattr(CaptionEncoder, "load", lambda name: encoder("sha256:other"))
    with pytest.raises(PreparedDataError, match="embedded by another test than is here"):
        same_sentence(load_run(runs / "filling"), "red", 3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["progress", "nowhere"], "no run in nowhere"),
        (["losses", "nowhere"], "no run in nowhere"),
        (["interpolation", "nowhere"], "no run in nowhere"),
        (["arithmetic", "nowhere"], "no run in nowhere"),
        (["caption-path", "nowhere"], "no run in nowhere"),
        (["caption-path", "whole"], "whole: it makes whole pictures and reads no caption"),
        (["arithmetic", "whole", "--count", "47", "--rounds", "4"], "a draw of at least 48"),
        (["interpolation", "filling", "--count", "30"], "30 pictures are asked for, 24 are there"),
        (["caption-path", "filling", "--count", "4", "--from", "red"], "sentence encoder 'test'"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, says, runs, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(runs)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    command = ["captionfill-train", "experiment", *arguments, "-o", str(tmp_path / "out.json")]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    lines = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 1 and len(lines) == 1 and says in lines[0]
