"""CelebA (Liu et al. 2015), aligned faces; what the attributes say becomes the caption."""

from pathlib import Path, PurePosixPath

from training.data.sources.base import MISSING, Example, Reading, SkippedItems, is_picture, lines_of
from training.data.sources.contents import look_through
from training.data.sources.packed import walk

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

    Faces that one of the lists does not know, or of an unknown partition, are passed over.

    Raises:
        SourceError: one of the two lists is missing.
    """
    contents = look_through(place, (ATTRIBUTES, PARTITION).__contains__)
    captions = _captions(contents.require(ATTRIBUTES))
    rows = (line.split() for line in lines_of(contents.require(PARTITION)))
    splits = {row[0]: SPLITS[row[1]] for row in rows if len(row) > 1 and row[1] in SPLITS}
    present = {PurePosixPath(path).name for path in contents.paths}
    missing = [name for name in captions if name not in present]
    yield from contents.pass_over_damaged(missing)
    seen: set[str] = set()
    for member in walk(place, without=contents.damaged):
        name = PurePosixPath(member.path).name
        if not is_picture(name) or name in seen:
            continue
        seen.add(name)
        if name in captions and name in splits:
            yield Example(splits[name], name, (captions[name],), member.read)
        else:
            yield SkippedItems(name, "not in the lists")
    for name in missing:
        yield SkippedItems(name, MISSING)


def describe(attributes: set[str]) -> str:
    """Write what a face's attributes say: `a smiling young woman with blond hair and glasses`."""
    looks = [word for name, word in LOOKS.items() if name in attributes]
    who = " ".join(["a", *looks, "man" if "Male" in attributes else "woman"])
    has = [words for name, words in HAS.items() if name in attributes]
    return f"{who} with {' and '.join(has)}" if has else who


def _captions(text: str) -> dict[str, str]:
    """Caption by file name; the list's first line is a count, its second names the attributes.

    A row with more or fewer values than there are attributes describes nobody for certain.
    """
    lines = lines_of(text)
    names = lines[1].split() if len(lines) > 1 else []
    rows = (line.split() for line in lines[2:])
    return {
        row[0]: describe({n for n, value in zip(names, row[1:], strict=True) if value == "1"})
        for row in rows
        if len(row) == len(names) + 1
    }
