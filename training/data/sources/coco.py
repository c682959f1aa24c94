"""MS-COCO captions (Lin et al. 2014; Chen et al. 2015), any year.

Upstream layout: `annotations/captions_train2017.json` and the photos in `train2017/`, both also in
the published zips (`annotations_trainval2017.zip`, `train2017.zip`). Which splits there are is told
by the annotation files found; photos without an annotation file are left alone.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from training.data.sources.base import MISSING, Example, Reading, SkippedItems, is_picture
from training.data.sources.coco_captions import CocoCaptions, parse_coco
from training.data.sources.contents import Contents, look_through, match_names
from training.data.sources.packed import walk
from training.data.sources.splits import canonical_split

CAPTION_FILE = re.compile(r"captions_([a-z]+)(\d*)\.json")


def read_coco(place: Path) -> Reading:
    """Every annotated photo with its captions; annotated ones that are not there are named.

    Raises:
        SourceError: no caption file, or one that is not as published.
    """
    contents = look_through(place, lambda name: CAPTION_FILE.fullmatch(name) is not None)
    if not contents.texts:
        raise contents.lacks("captions_*.json")
    files = _caption_files(contents)
    listed = match_names(_listed(files), _photos(contents.paths, files))
    found = set(listed.values())
    missing = [name for name in _listed(files) if name not in found]
    yield from contents.pass_over_damaged(missing)
    for _, captions in files.values():
        yield from captions.wrong
    seen: set[str] = set()
    for member in walk(place, without=contents.damaged):
        below = _below_split(member.path, files)
        name = listed.get(below, below)
        if not is_picture(name) or name in seen:
            continue
        seen.add(name)
        folder, _, rest = name.partition("/")
        split, captions = files[folder]
        texts = captions.by_name.get(rest, ())
        yield Example(split, name, tuple(texts), member.read)
    for name in missing:
        yield SkippedItems(name, MISSING)


def _caption_files(contents: Contents) -> dict[str, tuple[str, CocoCaptions]]:
    """Split and captions by the folder of the photos, such as `train2017`."""
    files = {}
    for path, text in contents.texts.items():
        match = CAPTION_FILE.fullmatch(PurePosixPath(path).name)
        assert match is not None  # only such files were read
        folder = match[1] + match[2]
        files[folder] = canonical_split(match[1]), parse_coco(path, text, folder)
    return files


def _listed(files: dict[str, tuple[str, CocoCaptions]]) -> dict[str, None]:
    """Folder and name of every annotated photo, in the order of the files."""
    return {
        f"{folder}/{name}": None
        for folder, (_, captions) in files.items()
        for name in captions.by_name
    }


def _photos(paths: Iterable[str], files: Collection[str]) -> set[str]:
    return {name for path in paths if is_picture(name := _below_split(path, files))}


def _below_split(path: str, folders: Collection[str]) -> str:
    """The end of a path from a folder of photos on (`train2017/1.jpg`); empty outside of one."""
    parts = PurePosixPath(path).parts
    last = max((i for i, part in enumerate(parts[:-1]) if part in folders), default=None)
    return "" if last is None else "/".join(parts[last:])
