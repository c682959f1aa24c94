"""MS-COCO captions (Lin et al. 2014; Chen et al. 2015), any year.

Upstream layout: `annotations/captions_train2017.json` and the photos in `train2017/`, both also in
the published zips (`annotations_trainval2017.zip`, `train2017.zip`). Which splits there are is told
by the annotation files found; photos without an annotation file are left alone.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from training.errors import SourceError
from training.sources.base import Example, PassedOver, Reading, is_picture
from training.sources.packed import read_texts, walk

CAPTION_FILE = re.compile(r"captions_([a-z]+)(\d*)\.json")


@dataclass(frozen=True)
class _Annotations:
    """One caption file: its split, and the captions by photo name."""

    split: str
    captions: dict[str, list[str]]


def read_coco(place: Path) -> Reading:
    """Every annotated photo with its captions; annotated ones that are not there are named.

    Raises:
        SourceError: no caption file, or one that is not as published.
    """
    texts = read_texts(place, lambda name: CAPTION_FILE.fullmatch(name) is not None)
    if not texts:
        raise SourceError(f"{place}: no captions_*.json there, nor in an archive there")
    by_folder = dict(_parse(path, text) for path, text in texts.items())
    seen: set[tuple[str, str]] = set()
    for member in walk(place):
        folder, name = PurePosixPath(member.path).parts[-2:] if "/" in member.path else ("", "")
        if folder not in by_folder or not is_picture(name) or (folder, name) in seen:
            continue
        seen.add((folder, name))
        annotations = by_folder[folder]
        captions = tuple(annotations.captions.get(name, ()))
        yield Example(annotations.split, f"{folder}/{name}", captions, member.read)
    for folder, annotations in by_folder.items():
        for name in annotations.captions:
            if (folder, name) not in seen:
                yield PassedOver(f"{folder}/{name}", "listed, but no such picture")


def _parse(path: str, text: str) -> tuple[str, _Annotations]:
    """The folder of the photos (`train2017`) and their captions."""
    match = CAPTION_FILE.fullmatch(PurePosixPath(path).name)
    assert match is not None  # only such files were read
    try:
        data = json.loads(text)
        captions: dict[str, list[str]] = {image["file_name"]: [] for image in data["images"]}
        names = {image["id"]: image["file_name"] for image in data["images"]}
        for annotation in data["annotations"]:
            captions[names[annotation["image_id"]]].append(annotation["caption"])
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path}: not a COCO caption file ({error!r})") from error
    return match[1] + match[2], _Annotations(match[1], captions)
