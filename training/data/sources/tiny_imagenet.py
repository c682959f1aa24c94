"""Tiny ImageNet (Stanford CS231n): 64×64 photos of 200 classes, the class names as captions.

The label of a photo is its class's folder (`train/n01443537/images/x.JPEG`), or, of those in
`val/images`, its line in `val_annotations.txt`; `val` sorted into folders is read as `train` is.
"""

import logging
from pathlib import Path, PurePosixPath

from training.data.sources.base import MISSING, Example, Reading, SkippedItems, is_picture, lines_of
from training.data.sources.contents import look_through
from training.data.sources.packed import walk
from training.data.sources.splits import split_of_folder

logger = logging.getLogger(__name__)

WORDS, WNIDS, VAL = "words.txt", "wnids.txt", "val_annotations.txt"
IMAGES = "images"
HELD_OUT = "val"
WORDINGS = ("a photo of {}", "{}", "a picture showing {}", "a close view of {}")
OTHER_WORDING = "a photo of {}"
MOST_OTHERS = 3
# Spelt with a vowel but spoken with a consonant.
SPOKEN_CONSONANT = ("eu", "uni", "use", "one", "ufo")
SINGULAR_ENDINGS = ("ss", "us", "is")


def read_tiny_imagenet(place: Path) -> Reading:
    """The labelled photos of `train` and `val`; `test` has no labels and is left alone.

    Raises:
        SourceError: one of the lists of classes is missing.
    """
    contents = look_through(place, (WORDS, WNIDS, VAL).__contains__)
    wnids = contents.require(WNIDS)
    captions = _class_captions(contents.require(WORDS), set(wnids.split()))
    annotated = any(PurePosixPath(path).name == VAL for path in contents.texts)
    labels = _val_labels(contents.require(VAL)) if annotated else {}
    yield from contents.pass_over_unpacked()
    seen: set[tuple[str, str]] = set()
    for member in walk(place, without=contents.damaged):
        split, name, wnid = _place_in_layout(member.path, labels)
        if not split or (split, name) in seen:
            continue
        seen.add((split, name))
        if wnid in captions:
            yield Example(split, f"{split}/{name}", captions[wnid], member.read, wnid)
        else:
            yield SkippedItems(f"{split}/{name}", _why_unlabelled(wnid, annotated))
    for name in labels:
        if (HELD_OUT, name) not in seen:
            yield SkippedItems(f"{HELD_OUT}/{name}", MISSING)
    if not any(split == HELD_OUT for split, _ in seen):
        logger.warning("%s: no photos in val/images or val/CLASS: nothing is held out", place)


def _why_unlabelled(wnid: str, annotated: bool) -> str:
    if wnid:
        return f"no class name for its label ({wnid!r})"
    return f"not in {VAL}" if annotated else f"no {VAL} that says its label"


def class_captions(names: list[str]) -> tuple[str, ...]:
    """Varied wordings of a class: all of them for its first name, one for some other names."""
    first, others = names[0], names[1 : 1 + MOST_OTHERS]
    of_first = [w.format(first if w == "{}" else with_article(first)) for w in WORDINGS]
    of_others = [OTHER_WORDING.format(with_article(other)) for other in others]
    return tuple(dict.fromkeys(of_first + of_others))


def with_article(noun: str) -> str:
    """`a goose`, `an iPod`, `a European fire salamander`; plurals stay bare (`sunglasses`)."""
    lower = noun.lower()
    if lower.endswith("s") and not lower.endswith(SINGULAR_ENDINGS):
        return noun
    vowel = lower.startswith(("a", "e", "i", "o", "u", "hourglass"))
    return f"an {noun}" if vowel and not lower.startswith(SPOKEN_CONSONANT) else f"a {noun}"


def _place_in_layout(path: str, labels: dict[str, str]) -> tuple[str, str, str]:
    """Split, file name and label of a photo by its path; an empty split for other files."""
    *folders, name = PurePosixPath(path).parts[-4:]
    if not is_picture(path) or not folders:
        return "", "", ""
    if folders[-1] == IMAGES and len(folders) > 1 and split_of_folder(folders[-2]) == HELD_OUT:
        return HELD_OUT, name, labels.get(name, "")
    # Some sort the photos into `val/n01443537/` with a folder `images` there, and some without.
    *above, wnid = folders[:-1] if folders[-1] == IMAGES else folders
    split = split_of_folder(above[-1]) if above else None
    return (split, name, wnid) if split else ("", "", "")


def _class_captions(words: str, wnids: set[str]) -> dict[str, tuple[str, ...]]:
    rows = (line.partition("\t") for line in lines_of(words))
    return {
        wnid: class_captions([name.strip() for name in names.split(",")])
        for wnid, _, names in rows
        if wnid in wnids and names.strip()
    }


def _val_labels(text: str) -> dict[str, str]:
    rows = (line.split("\t") for line in lines_of(text))
    return {row[0]: row[1] for row in rows if len(row) > 1}
