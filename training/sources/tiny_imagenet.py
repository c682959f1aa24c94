"""Tiny ImageNet (Stanford CS231n): 64×64 photos of 200 classes, the class names as captions."""

from pathlib import Path, PurePosixPath

from training.sources.base import Example, PassedOver, Reading, is_picture, require_text
from training.sources.packed import read_texts, walk

LISTS = ("words.txt", "wnids.txt", "val_annotations.txt")
WORDINGS = ("a photo of {}", "{}", "a picture showing {}", "a close view of {}")
OTHER_WORDING = "a photo of {}"
MOST_OTHERS = 3
# Spelt with a vowel but spoken with a consonant.
SPOKEN_CONSONANT = ("eu", "uni", "use", "one", "ufo")
SINGULAR_ENDINGS = ("ss", "us", "is")


def read_tiny_imagenet(place: Path) -> Reading:
    """The labelled photos of `train` and `val`; `test` has no labels and is left alone.

    Raises:
        SourceError: one of the three lists is missing.
    """
    texts = read_texts(place, LISTS.__contains__)
    words, wnids, val = (require_text(texts, name, place) for name in LISTS)
    captions = _class_captions(words, set(wnids.split()))
    labels = _val_labels(val)
    seen: set[tuple[str, str]] = set()
    for member in walk(place):
        split, name, wnid = _place_in_layout(member.path, labels)
        if not split or (split, name) in seen:
            continue
        seen.add((split, name))
        if wnid in captions:
            yield Example(split, f"{split}/{name}", captions[wnid], member.read, wnid)
        else:
            yield PassedOver(f"{split}/{name}", f"no class name for label '{wnid}'")
    for name in labels:
        if ("val", name) not in seen:
            yield PassedOver(f"val/{name}", "listed, but no such picture")


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
    """Split, file name and label of a picture by its path; an empty split for other files."""
    parts = PurePosixPath(path).parts
    if not is_picture(path):
        return "", "", ""
    match parts[-4:]:
        case ("train", wnid, "images", name):
            return "train", name, wnid
        case (*_, "val", "images", name):
            return "val", name, labels.get(name, "")
    return "", "", ""


def _class_captions(words: str, wnids: set[str]) -> dict[str, tuple[str, ...]]:
    rows = (line.partition("\t") for line in words.splitlines())
    return {
        wnid: class_captions([name.strip() for name in names.split(",")])
        for wnid, _, names in rows
        if wnid in wnids and names.strip()
    }


def _val_labels(text: str) -> dict[str, str]:
    rows = (line.split("\t") for line in text.splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1}
