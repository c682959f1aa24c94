"""Flickr8k (Hodosh, Young and Hockenmaier, JAIR 2013): photos with five captions each.

Upstream layout: `Flickr8k.token.txt` (`name.jpg#k<TAB>caption`), the published lists
`Flickr_8k.{train,dev,test}Images.txt`, and the photos in a folder or an archive of any name.
"""

from pathlib import Path, PurePosixPath

from training.errors import SourceError
from training.sources.base import (
    Example,
    PassedOver,
    Reading,
    is_picture,
    require_text,
)
from training.sources.packed import read_texts, walk

TOKENS = "Flickr8k.token.txt"
LISTS = {f"Flickr_8k.{split}Images.txt": split for split in ("train", "dev", "test")}


def read_flickr8k(place: Path) -> Reading:
    """Every listed photo with its captions; photos in no list are passed over.

    Raises:
        SourceError: the captions or all the lists are missing.
    """
    texts = read_texts(place, lambda name: name == TOKENS or name in LISTS)
    captions = _captions(require_text(texts, TOKENS, place))
    splits = _splits(texts)
    if not splits:
        raise SourceError(f"{place}: none of {', '.join(LISTS)} there")
    missing = dict(splits)
    seen: set[str] = set()
    for member in walk(place):
        name = PurePosixPath(member.path).name
        if not is_picture(name) or name in seen:
            continue
        seen.add(name)
        missing.pop(name, None)
        if name in splits:
            yield Example(splits[name], name, tuple(captions.get(name, ())), member.read)
        else:
            yield PassedOver(name, "in none of the split lists")
    for name in missing:
        yield PassedOver(name, "listed, but no such picture")


def _captions(text: str) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, tab, caption = line.partition("\t")
        if tab:
            # The published captions are tokenised: "way ." was "way."
            caption = caption.strip().replace(" .", ".").replace(" ,", ",")
            captions.setdefault(key.rpartition("#")[0], []).append(caption)
    return captions


def _splits(texts: dict[str, str]) -> dict[str, str]:
    return {
        name.strip(): LISTS[PurePosixPath(path).name]
        for path, text in texts.items()
        if PurePosixPath(path).name in LISTS
        for name in text.splitlines()
        if name.strip()
    }
