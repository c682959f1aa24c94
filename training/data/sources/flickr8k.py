"""Flickr8k (Hodosh, Young and Hockenmaier, JAIR 2013): photos with five captions each.

Upstream layout: `Flickr8k.token.txt` (`name.jpg#k<TAB>caption`), the published lists
`Flickr_8k.{train,dev,test}Images.txt`, and the photos in a folder or an archive of any name.
"""

from pathlib import Path
from posixpath import basename

from training.common.errors import SourceError
from training.data.sources.base import (
    MISSING_FILE,
    Example,
    SkippedItem,
    SourceItems,
    is_picture,
    split_lines,
)
from training.data.sources.contents import match_names, scan_source

TOKENS = "Flickr8k.token.txt"
LISTS = {f"Flickr_8k.{split}Images.txt": split for split in ("train", "dev", "test")}


def read_flickr8k(place: Path) -> SourceItems:
    """Read the listed photos with their captions; photos in no list are skipped.

    Raises:
        SourceError: the captions or all the lists are missing.
    """
    contents = scan_source(place, lambda name: name == TOKENS or name in LISTS)
    captions, wrong = _captions(contents.require(TOKENS))
    lists = [(LISTS[basename(p)], t) for p, t in contents.texts.items() if basename(p) in LISTS]
    lines = {line.strip(): split for split, text in lists for line in split_lines(text)}
    splits = {name: split for name, split in lines.items() if name}
    if not splits:
        raise SourceError(f"{place}: none of {', '.join(LISTS)} there")
    listed = match_names(splits, map(basename, filter(is_picture, contents.paths)))
    missing = sorted(splits.keys() - set(listed.values()))
    yield from contents.skip_damaged_archives(missing)
    yield from wrong
    for name, member in contents.pictures(basename):
        if known := listed.get(name):
            yield Example(splits[known], known, tuple(captions.get(known, ())), member.read)
        else:
            yield SkippedItem(name, "in none of the split lists")
    for name in missing:
        yield SkippedItem(name, MISSING_FILE)


def _captions(text: str) -> tuple[dict[str, list[str]], list[SkippedItem]]:
    """Return captions by photo, and skipped lines."""
    captions: dict[str, list[str]] = {}
    wrong = []
    for number, line in enumerate(split_lines(text), start=1):
        key, _, caption = line.partition("\t")
        name = key.rpartition("#")[0]
        if name and caption:
            # The published captions are tokenised: "way ." instead of "way."
            caption = caption.strip().replace(" .", ".").replace(" ,", ",")
            captions.setdefault(name, []).append(caption)
        elif line.strip():
            wrong.append(SkippedItem(f"{TOKENS}, line {number}", "no PHOTO#NUMBER, tab, caption"))
    return captions, wrong
