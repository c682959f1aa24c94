"""Class names and colours: which words, and whether they steer."""

from dataclasses import replace

import pytest
import torch

from training.evaluation.benchmarks.class_words import (
    class_measurement,
    imagenet_names,
    imagenet_rows,
)
from training.evaluation.benchmarks.colour_words import (
    COLOURS,
    colour_measurement,
    colour_moves,
    first_swaps,
    swap_colour,
)
from training.evaluation.methods import REAL, TRUE_CAPTION, WRONG_CAPTION


@pytest.mark.parametrize(
    ("caption", "other"),
    [
        ("A brown dog chases a red ball.", "A white dog chases a red ball."),
        ("An orange canoe on a lake", "A blue canoe on a lake"),
        ("Two small white dogs play", "Two small black dogs play"),
        ("White dog leaving a tent", "Black dog leaving a tent"),
        ("A man in a red shirt smiles", "A man in a blue shirt smiles"),
    ],
)
def test_colour_of_main_thing_or_clothes_is_swapped(caption, other):
    assert swap_colour(caption).other == other


@pytest.mark.parametrize(
    "caption",
    [
        "A black and white dog runs",
        "A dog chases a red ball",
        "A small red haired girl jumps",
        "A black man plays the guitar",
        "The white-haired woman waits",
        "A man rides past a blue wall",
        "a photo of a goose",
    ],
)
def test_other_captions_are_left_out(caption):
    assert swap_colour(caption) is None


def test_first_caption_with_a_colour_counts():
    found = first_swaps([["A dog", "A red car", "A blue car"], ["A cat"]])
    assert {number: swap.caption for number, swap in found.items()} == {0: "A red car"}


CAPTIONS = [f"A {colour} kite" for colour in COLOURS] * 3


def name_colours(captions):
    """Vectors in which a caption's colour is one of ten numbers."""
    return torch.stack([torch.tensor([float(c in text) for c in COLOURS]) for text in captions])


def grey(pixels, seeds):
    return torch.stack(
        [torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(s)) for s in seeds]
    )


def obeys(pixels, captions, seeds):
    """A made-up generator that tints grey noise a little towards the caption's colour."""
    tint = captions @ torch.tensor([srgb for srgb, _ in COLOURS.values()]).float() - 128
    return (128 + 20 * grey(pixels, seeds) + 0.1 * tint[..., None, None]).clamp(0, 255).byte()


def obeys_backwards(pixels, captions, seeds):
    return 255 - obeys(pixels, captions, seeds)


def is_deaf(pixels, captions, seeds):
    return obeys(pixels, torch.zeros_like(captions), seeds)


@pytest.mark.parametrize(
    ("generator", "share"), [(obeys, 1.0), (is_deaf, 0.5), (obeys_backwards, 0.0)]
)
def test_colour_obedience_is_high_and_indifference_scores_half(generator, share):
    swaps = [swap_colour(caption) for caption in CAPTIONS]
    pixels = torch.zeros(len(swaps), 3, 64, 64, dtype=torch.uint8)
    moves = colour_moves(generator, name_colours, pixels, swaps, seed=0)
    figure = replace(colour_measurement(swaps, moves), measure="colour_words")
    assert figure.value == pytest.approx(share, abs=0.01)
    assert figure.pass_fail[0] == (share > 0.6)


def class_figure(obedient: bool):
    own, other = torch.arange(50) % 10, (torch.arange(50) + 3) % 10
    draws = torch.rand(50, 10, generator=torch.Generator().manual_seed(0))
    named, misnamed = draws.clone(), draws.clone()
    if obedient:
        named[torch.arange(50), own] += 2
        misnamed[torch.arange(50), other] += 2
    chances = {TRUE_CAPTION: named, WRONG_CAPTION: misnamed, REAL: draws}
    return class_measurement({k: v.softmax(1) for k, v in chances.items()}, own, other)


def test_class_obedience_is_high_and_indifference_scores_half():
    assert class_figure(obedient=True).value == 1
    assert class_figure(obedient=False).value == 0.5


def test_class_name_shared_by_two_uses_its_neighbours():
    names = imagenet_names()
    captions = {
        "n01443537": ["a photo of a goldfish"],
        "n02113186": [f"a photo of a {names[264]}"],  # the dog
        "n02124075": ["a photo of an Egyptian cat", "Egyptian cat"],
        "n02963159": ["a photo of a cardigan", "cardigan"],  # the jacket
        "n99999999": ["a photo of a nonesuch"],
    }
    rows = imagenet_rows(captions)
    assert rows == {"n01443537": 1, "n02124075": 285, "n02963159": 474, "n02113186": 264}
