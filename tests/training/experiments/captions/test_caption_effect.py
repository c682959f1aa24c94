"""Made-up generators, of which it is known what a caption does."""

import pytest
import torch

from tests.helpers.training.tensors import mean_colour
from tests.training.experiments.conftest import COUNTS, encode
from training.experiments.captions.caption_effect import caption_grid, effect_table, effects
from training.experiments.captions.caption_moves import (
    colour_change,
    directions,
    respond,
    share_of,
)
from training.experiments.captions.caption_pairs import (
    COLOUR,
    NO_CAPTION,
    OBJECT,
    SHUFFLED,
    pairings,
)


def painter(pixels, vectors, seed):
    """Paints the hole in the colour that the caption says; the noise does a little."""
    colours = (255 * vectors + 3 * (seed % 2)).round().clamp(0, 255).byte()
    return colours[:, :, None, None].expand(-1, -1, 32, 32).contiguous()


def deaf(pixels, vectors, seed):
    """Does not listen to captions, but to noise."""
    return torch.full((len(pixels), 3, 32, 32), 90 + 10 * (seed % 2), dtype=torch.uint8)


def contrary(pixels, vectors, seed):
    """Paints the negative."""
    return 255 - painter(pixels, vectors, seed)


@pytest.fixture(scope="module")
def pairs(held_out):
    return pairings(held_out, 20, 0, encode)


@pytest.fixture(scope="module")
def measured(pairs, train):
    return {
        fill.__name__: effects(pairs, train, fill, mean_colour, seed=0)
        for fill in (painter, deaf, contrary)
    }


def test_captions_compare_with_none_another_and_near_misses(pairs):
    assert [one.name for one in pairs] == [NO_CAPTION, SHUFFLED, COLOUR, OBJECT]
    assert pairs[2].captions[0] == "a red dog" and pairs[2].swaps[0] == ("red", "blue")
    assert pairs[2].other_vectors[0].tolist() == encode(["a blue dog"])[0].tolist()
    assert pairs[3].swaps[0] == ("dog", "cat")


def test_generator_painting_the_captions_colour_is_always_right(measured):
    colour = measured["painter"][COLOUR]["colour"]
    assert colour["right"] == {"mean": 1, "low": 1, "high": 1}
    assert colour["change"]["low"] > 20 and colour["unmoved"] == 0
    assert colour["by_words"]["red → blue"]["pictures"] == COUNTS["dev"] // 5


def test_generator_ignoring_captions_stays_at_chance(measured):
    of = measured["deaf"][COLOUR]
    assert of["fill_moves"]["levels"]["high"] == 0 and of["noise_moves"]["levels"]["mean"] == 10
    assert of["colour"]["right"]["low"] <= 0.5 <= of["colour"]["right"]["high"]
    assert of["nearer"]["levels"]["mean"] == 0.5
    assert of["colour"]["unmoved"] == COUNTS["dev"]


def test_generator_painting_the_negative_moves_the_wrong_way(measured):
    assert measured["contrary"][COLOUR]["colour"]["right"]["high"] < 0.5
    assert measured["contrary"][COLOUR]["gain"]["levels"]["high"] < 0


def test_true_captions_fill_is_nearer_where_colour_matches(measured):
    for kind in (SHUFFLED, COLOUR):
        assert measured["painter"][kind]["gain"]["levels"]["low"] >= 0
        assert measured["painter"][kind]["gain"]["features"]["low"] >= 0
    assert measured["painter"][COLOUR]["nearer"]["levels"]["mean"] == 1


def test_word_unknown_to_the_generator_moves_nothing(measured):
    assert measured["painter"][OBJECT]["fill_moves"]["levels"]["mean"] == 0


def test_painter_moves_fully_from_old_words_to_new(pairs, train):
    pairing = next(one for one in pairs if one.name == COLOUR)
    ways = directions(train, {("red", "blue")}, mean_colour, fewest=5)
    given = respond(pairing, painter, 0)
    row = pairing.swaps.index(("red", "blue"))
    change = mean_colour(given.other[[row]]) - mean_colour(given.true[[row]])
    assert float(share_of(ways["red", "blue"], change[0])) == pytest.approx(1, abs=0.1)


def test_words_rare_in_training_captions_give_no_direction(train):
    assert directions(train, {("red", "blue"), ("red", "pink")}, mean_colour, fewest=11) == {}


def test_colour_moves_are_projected_between_the_words(pairs):
    pairing = next(one for one in pairs if one.name == COLOUR)
    change = colour_change(respond(pairing, painter, 0))
    white = pairing.swaps.index(("white", "black"))
    assert float(change[white]) == pytest.approx(94.8 - 6.3, abs=1)  # L* of the two, no chroma


def test_table_has_every_kind_and_grid_every_picture(pairs, measured):
    lines = effect_table(measured["painter"]).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        f"| {name}" for name in (NO_CAPTION, SHUFFLED, COLOUR, OBJECT)
    ]
    assert caption_grid(pairs, painter, 0, rows=4).height > 4 * 128
