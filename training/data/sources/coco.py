"""MS-COCO captions (Lin et al. 2014; Chen et al. 2015), any year.

Upstream layout: `annotations/captions_train2017.json` and the photos in `train2017/`, both also in
the published zips (`annotations_trainval2017.zip`, `train2017.zip`). The caption files determine
the splits; photos of other folders are ignored.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from training.data.sources.archives import iter_files
from training.data.sources.base import MISSING_FILE, Example, SkippedItem, SourceItems, is_picture
from training.data.sources.coco_captions import CocoCaptions, parse_coco
from training.data.sources.contents import Contents, match_names, scan_source
from training.data.sources.splits import canonical_split

CAPTION_FILE = re.compile(r"captions_([a-z]+)(\d*)\.json")


def read_coco(place: Path) -> SourceItems:
    """Read the annotated photos with their captions; missing photos are skipped items.

    Raises:
        SourceError: no caption file, or a malformed one.
    """
    contents = scan_source(place, lambda name: CAPTION_FILE.fullmatch(name) is not None)
    if not contents.texts:
        raise contents.missing_error("captions_*.json")
    files = _caption_files(contents)
    listed = match_names(_listed(files), _photos(contents.paths, files))
    found = set(listed.values())
    missing = [name for name in _listed(files) if name not in found]
    yield from contents.skip_damaged_archives(missing)
    for _, captions in files.values():
        yield from captions.wrong
    seen: set[str] = set()
    for member in iter_files(place, without=contents.damaged):
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
        yield SkippedItem(name, MISSING_FILE)


def _caption_files(contents: Contents) -> dict[str, tuple[str, CocoCaptions]]:
    """Return split and captions by photo folder, such as `train2017`."""
    files = {}
    for path, text in contents.texts.items():
        match = CAPTION_FILE.fullmatch(PurePosixPath(path).name)
        assert match is not None  # other files were not read
        folder = match[1] + match[2]
        files[folder] = canonical_split(match[1]), parse_coco(path, text, folder)
    return files


def _listed(files: dict[str, tuple[str, CocoCaptions]]) -> dict[str, None]:
    """Return folder/name of every annotated photo, in order."""
    return {
        f"{folder}/{name}": None
        for folder, (_, captions) in files.items()
        for name in captions.by_name
    }


def _photos(paths: Iterable[str], files: Collection[str]) -> set[str]:
    return {name for path in paths if is_picture(name := _below_split(path, files))}


def _below_split(path: str, folders: Collection[str]) -> str:
    """Return a path relative to the parent of its photo folder (`train2017/1.jpg`), or ""."""
    parts = PurePosixPath(path).parts
    last = max((i for i, part in enumerate(parts[:-1]) if part in folders), default=None)
    return "" if last is None else "/".join(parts[last:])
