"""Tiny ImageNet (Stanford CS231n): 64×64 photos of 200 classes, the class names as captions.

The label of a photo is its class folder (`train/n01443537/images/x.JPEG`) or, in `val/images`, its
line in `val_annotations.txt`. A `val` sorted into class folders is read like `train`.
"""

import logging
from pathlib import Path, PurePosixPath

from training.data.sources.archives import iter_files
from training.data.sources.base import (
    MISSING_FILE,
    Example,
    SkippedItem,
    SourceItems,
    is_picture,
    split_lines,
)
from training.data.sources.contents import scan_source
from training.data.sources.splits import split_of_folder

logger = logging.getLogger(__name__)

WORDS, WNIDS, VAL = "words.txt", "wnids.txt", "val_annotations.txt"
IMAGES = "images"
HELD_OUT = "val"
CAPTION_TEMPLATES = ("a photo of {}", "{}", "a picture showing {}", "a close view of {}")
SYNONYM_TEMPLATE = "a photo of {}"
MAX_SYNONYMS = 3
# Prefixes spelt with a vowel but pronounced with a consonant.
CONSONANT_SOUNDS = ("eu", "uni", "use", "one", "ufo")
SINGULAR_ENDINGS = ("ss", "us", "is")


def read_tiny_imagenet(place: Path) -> SourceItems:
    """Read the labelled photos of `train` and `val`; `test` has no labels and is ignored.

    Raises:
        SourceError: a list of classes is missing.
    """
    contents = scan_source(place, (WORDS, WNIDS, VAL).__contains__)
    wnids = contents.require(WNIDS)
    captions = _class_captions(contents.require(WORDS), set(wnids.split()))
    annotated = any(PurePosixPath(path).name == VAL for path in contents.texts)
    rows = split_lines(contents.require(VAL)) if annotated else []
    labels = {row[0]: row[1] for row in (line.split("\t") for line in rows) if len(row) > 1}
    yield from contents.skip_unpacked_archives()
    seen: set[tuple[str, str]] = set()
    for member in iter_files(place, without=contents.damaged):
        split, name, wnid = _parse_path(member.path, labels)
        if not split or (split, name) in seen:
            continue
        seen.add((split, name))
        if wnid in captions:
            yield Example(split, f"{split}/{name}", captions[wnid], member.read, wnid)
        else:
            no_label = f"not in {VAL}" if annotated else f"no {VAL} that says its label"
            reason = f"no class name for its label ({wnid!r})" if wnid else no_label
            yield SkippedItem(f"{split}/{name}", reason)
    for name in labels:
        if (HELD_OUT, name) not in seen:
            yield SkippedItem(f"{HELD_OUT}/{name}", MISSING_FILE)
    if not any(split == HELD_OUT for split, _ in seen):
        logger.warning("%s: no photos in val/images or val/CLASS: nothing is held out", place)


def class_captions(names: list[str]) -> tuple[str, ...]:
    """Return captions of a class: all templates for its first name, one for some synonyms."""
    first, others = names[0], names[1 : 1 + MAX_SYNONYMS]
    of_first = [w.format(first if w == "{}" else with_article(first)) for w in CAPTION_TEMPLATES]
    of_others = [SYNONYM_TEMPLATE.format(with_article(other)) for other in others]
    return tuple(dict.fromkeys(of_first + of_others))


def with_article(noun: str) -> str:
    """Return `a goose`, `an iPod`, `a European fire salamander`; plurals have no article."""
    lower = noun.lower()
    if lower.endswith("s") and not lower.endswith(SINGULAR_ENDINGS):
        return noun
    vowel = lower.startswith(("a", "e", "i", "o", "u", "hourglass"))
    return f"an {noun}" if vowel and not lower.startswith(CONSONANT_SOUNDS) else f"a {noun}"


def _parse_path(path: str, labels: dict[str, str]) -> tuple[str, str, str]:
    """Return split, file name and label of a photo; an empty split for other files."""
    *folders, name = PurePosixPath(path).parts[-4:]
    if not is_picture(path) or not folders:
        return "", "", ""
    if folders[-1] == IMAGES and len(folders) > 1 and split_of_folder(folders[-2]) == HELD_OUT:
        return HELD_OUT, name, labels.get(name, "")
    # Sorted class folders `val/n01443537/` come with and without a subfolder `images`.
    *above, wnid = folders[:-1] if folders[-1] == IMAGES else folders
    split = split_of_folder(above[-1]) if above else None
    return (split, name, wnid) if split else ("", "", "")


def _class_captions(words: str, wnids: set[str]) -> dict[str, tuple[str, ...]]:
    rows = (line.partition("\t") for line in split_lines(words))
    return {
        wnid: class_captions([name.strip() for name in names.split(",")])
        for wnid, _, names in rows
        if wnid in wnids and names.strip()
    }
