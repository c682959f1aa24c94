import pytest

from training.experiments.captions.word_swaps import COLOURS, OBJECTS, RGB, near_miss
from training.experiments.comparison.keywords import KEYWORDS, keywords_of


def test_near_miss_changes_one_word_only():
    miss = near_miss("A red sticker on a red car", COLOURS)
    assert miss.changed == "A blue sticker on a red car"
    assert (miss.old, miss.new) == ("red", "blue")


def test_a_near_miss_keeps_a_capital():
    assert near_miss("Dogs run .", OBJECTS).changed == "Children run ."


@pytest.mark.parametrize("caption", ["a hundred things", "", "redder than roses"])
def test_caption_without_table_word_has_no_near_miss(caption):
    assert near_miss(caption, COLOURS) is None


def test_every_table_colour_maps_to_another_known_one():
    assert all(old in RGB and new in RGB and old != new for old, new in COLOURS.items())


def test_no_object_goes_to_itself():
    assert all(old != new for old, new in OBJECTS.items())


def test_keywords_are_whole_words_of_any_caption():
    assert keywords_of(["Two DOGS run", "on the catwalk"]) == {"dogs"}


def test_no_word_stands_in_a_keyword_twice():
    assert all(len(set(words.split())) == len(words.split()) for words in KEYWORDS.values())
