"""MS-COCO captions (Lin et al. 2014; Chen et al. 2015), any year.

Upstream layout: `annotations/captions_train2017.json` and the photos in `train2017/`, both also in
the published zips (`annotations_trainval2017.zip`, `train2017.zip`). The caption files determine
the splits; photos of other folders are ignored.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from training.common.errors import SourceError
from training.data.sources.base import (
    MISSING_FILE,
    Example,
    SkippedItem,
    SourceItems,
    caption_texts,
    is_picture,
)
from training.data.sources.contents import Contents, match_names, scan_source
from training.data.sources.splits import canonical_split

CAPTION_FILE = re.compile(r"captions_([a-z]+)(\d*)\.json")


@dataclass
class CocoCaptions:
    """Captions of a file by the photo's file name, and its skipped images and annotations."""

    by_name: dict[str, list[str]] = field(default_factory=dict)
    wrong: list[SkippedItem] = field(default_factory=list)


def read_coco(place: Path) -> SourceItems:
    """Read the annotated photos with their captions; missing photos are skipped items.

    Raises:
        SourceError: no caption file, or a malformed one.
    """
    contents = scan_source(place, lambda name: CAPTION_FILE.fullmatch(name) is not None)
    if not contents.texts:
        raise contents.missing_error("captions_*.json")
    files = _caption_files(contents)
    wanted = [f"{folder}/{n}" for folder, (_, found) in files.items() for n in found.by_name]
    below = (_below_split(path, files) for path in contents.paths)
    listed = match_names(dict.fromkeys(wanted), filter(is_picture, below))
    present = set(listed.values())
    missing = [name for name in wanted if name not in present]
    yield from contents.skip_damaged_archives(missing)
    for _, captions in files.values():
        yield from captions.wrong

    def listed_name(path: str) -> str:
        below = _below_split(path, files)
        return listed.get(below, below)

    for name, member in contents.pictures(listed_name):
        folder, _, rest = name.partition("/")
        split, captions = files[folder]
        yield Example(split, name, tuple(captions.by_name.get(rest, ())), member.read)
    for name in missing:
        yield SkippedItem(name, MISSING_FILE)


def _caption_files(contents: Contents) -> dict[str, tuple[str, CocoCaptions]]:
    """Return split and captions by photo folder, such as `train2017`."""
    files = {}
    for path, text in contents.texts.items():
        match = CAPTION_FILE.fullmatch(PurePosixPath(path).name)
        assert match is not None  # other files were not read
        folder = match[1] + match[2]
        files[folder] = canonical_split(match[1]), _parse_captions(path, text, folder)
    return files


def _below_split(path: str, folders: Collection[str]) -> str:
    """Return a path relative to the parent of its photo folder (`train2017/1.jpg`), or ""."""
    parts = PurePosixPath(path).parts
    last = max((i for i, part in enumerate(parts[:-1]) if part in folders), default=None)
    return "" if last is None else "/".join(parts[last:])


def _parse_captions(path: str, text: str, folder: str) -> CocoCaptions:
    """Read a caption file; file names become relative to the folder of the photos.

    A wrong image or annotation is skipped alone. Ids may be numbers or texts; annotation tools
    write both. Raises `SourceError` if it is not a caption file.
    """
    try:
        data = json.loads(text)
        images, annotations = list(data["images"]), list(data["annotations"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(f"{path}: not a COCO caption file ({error!r})") from error
    found = CocoCaptions()
    names = {}  # by image id
    for number, image in enumerate(images):
        given = image if isinstance(image, dict) else {}
        name, key = given.get("file_name"), _normalize_id(given.get("id"))
        if isinstance(name, str) and name and key is not None:
            names[key] = _relative_to(folder, name)
        else:
            place = f"{path}, image {number}"
            found.wrong.append(SkippedItem(place, "no image with id and file_name"))
    if images and not names:
        raise SourceError(f"{path}: not a COCO caption file (no image has id and file_name)")
    found.by_name = {name: [] for name in names.values()}
    for number, annotation in enumerate(annotations):
        _add_annotation(f"{path}, annotation {number}", annotation, names, found)
    return found


def _relative_to(folder: str, name: str) -> str:
    """Return a name relative to a folder: `1.jpg` for `images/train2017/1.jpg`."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    *above, last = parts or [name]
    if folder in above:
        above = above[len(above) - above[::-1].index(folder) :]
    return "/".join([*above, last])


def _add_annotation(
    place: str, annotation: Any, names: dict[str, str], found: CocoCaptions
) -> None:
    """Add an annotation's captions to those of its image."""
    given = annotation if isinstance(annotation, dict) else {}
    name = names.get(_normalize_id(given.get("image_id")) or "")
    if name is None:
        found.wrong.append(SkippedItem(place, "annotation of an image that is not listed"))
        return
    texts, reasons = caption_texts(given.get("caption"))
    found.by_name[name] += texts
    found.wrong += [SkippedItem(place, reason) for reason in reasons]


def _normalize_id(given: object) -> str | None:
    """Return an id as text; 7, 7.0 and "7" are equal."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return str(given) if isinstance(given, int | str) and given != "" else None
