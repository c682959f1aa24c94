"""CelebA (Liu et al. 2015), aligned faces; what the attributes say becomes the caption."""

from pathlib import Path, PurePosixPath

from training.sources.base import Example, PassedOver, Reading, is_picture, require_text
from training.sources.packed import read_texts, walk

ATTRIBUTES, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
SPLITS = {"0": "train", "1": "val", "2": "test"}
LOOKS = {"Smiling": "smiling", "Young": "young"}
HAS = {
    "Black_Hair": "black hair",
    "Blond_Hair": "blond hair",
    "Brown_Hair": "brown hair",
    "Gray_Hair": "grey hair",
    "Bald": "a bald head",
    "Mustache": "a mustache",
    "Eyeglasses": "glasses",
    "Wearing_Hat": "a hat",
}


def read_celeba(place: Path) -> Reading:
    """Every listed face, from the folder or archive `img_align_celeba`.

    Raises:
        SourceError: one of the two lists is missing.
    """
    texts = read_texts(place, (ATTRIBUTES, PARTITION).__contains__)
    captions = _captions(require_text(texts, ATTRIBUTES, place))
    rows = (line.split() for line in require_text(texts, PARTITION, place).splitlines())
    splits = {row[0]: SPLITS.get(row[1], "train") for row in rows if len(row) > 1}
    seen: set[str] = set()
    for member in walk(place):
        name = PurePosixPath(member.path).name
        if name in captions and name in splits and name not in seen:
            seen.add(name)
            yield Example(splits[name], name, (captions[name],), member.read)
        elif is_picture(name) and name not in seen:
            yield PassedOver(name, "not in the lists")
    for name in captions:
        if name not in seen:
            yield PassedOver(name, "listed, but no such picture")


def describe(attributes: set[str]) -> str:
    """Write what a face's attributes say: `a smiling young woman with blond hair and glasses`."""
    looks = [word for name, word in LOOKS.items() if name in attributes]
    who = " ".join(["a", *looks, "man" if "Male" in attributes else "woman"])
    has = [words for name, words in HAS.items() if name in attributes]
    return f"{who} with {' and '.join(has)}" if has else who


def _captions(text: str) -> dict[str, str]:
    """Caption by file name; the list's first line is a count, its second names the attributes."""
    lines = text.splitlines()
    names = lines[1].split() if len(lines) > 1 else []
    rows = (line.split() for line in lines[2:])
    return {
        row[0]: describe({n for n, value in zip(names, row[1:], strict=False) if value == "1"})
        for row in rows
        if row
    }
