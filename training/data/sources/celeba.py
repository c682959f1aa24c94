"""CelebA (Liu et al. 2015), aligned faces; captions are made from the attributes."""

from pathlib import Path
from posixpath import basename

from training.data.sources.base import MISSING_FILE, Example, SkippedItem, SourceItems, split_lines
from training.data.sources.contents import scan_source

ATTRIBUTES, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
SPLITS = {"0": "train", "1": "val", "2": "test"}
ADJECTIVES = {"Smiling": "smiling", "Young": "young"}
FEATURES = {
    "Black_Hair": "black hair",
    "Blond_Hair": "blond hair",
    "Brown_Hair": "brown hair",
    "Gray_Hair": "grey hair",
    "Bald": "a bald head",
    "Mustache": "a mustache",
    "Eyeglasses": "glasses",
    "Wearing_Hat": "a hat",
}


def read_celeba(place: Path) -> SourceItems:
    """Read the listed faces from the folder or archive `img_align_celeba`.

    Faces that a list lacks, or of an unknown partition, are skipped.

    Raises:
        SourceError: one of the two lists is missing.
    """
    contents = scan_source(place, (ATTRIBUTES, PARTITION).__contains__)
    captions = _captions(contents.require(ATTRIBUTES))
    rows = (line.split() for line in split_lines(contents.require(PARTITION)))
    splits = {row[0]: SPLITS[row[1]] for row in rows if len(row) > 1 and row[1] in SPLITS}
    present = set(map(basename, contents.paths))
    missing = [name for name in captions if name not in present]
    yield from contents.skip_damaged_archives(missing)
    for name, member in contents.pictures(basename):
        if name in captions and name in splits:
            yield Example(splits[name], name, (captions[name],), member.read)
        else:
            yield SkippedItem(name, "not in the lists")
    for name in missing:
        yield SkippedItem(name, MISSING_FILE)


def describe(attributes: set[str]) -> str:
    """Return a caption, such as `a smiling young woman with blond hair and glasses`."""
    adjectives = [word for name, word in ADJECTIVES.items() if name in attributes]
    subject = " ".join(["a", *adjectives, "man" if "Male" in attributes else "woman"])
    features = [words for name, words in FEATURES.items() if name in attributes]
    return f"{subject} with {' and '.join(features)}" if features else subject


def _captions(text: str) -> dict[str, str]:
    """Return captions by file name. Line 1 is a count, line 2 has the attribute names.

    Rows with a wrong number of values are ignored.
    """
    lines = split_lines(text)
    names = lines[1].split() if len(lines) > 1 else []
    rows = (line.split() for line in lines[2:])
    return {
        row[0]: describe({n for n, value in zip(names, row[1:], strict=True) if value == "1"})
        for row in rows
        if len(row) == len(names) + 1
    }
