"""Caption files of MS-COCO."""

import json
from dataclasses import dataclass, field
from typing import Any

from training.common.errors import SourceError
from training.data.sources.base import SkippedItem, caption_texts


@dataclass
class CocoCaptions:
    """Contents of a caption file.

    Attributes:
        by_name: captions by file name of the photo; the list may be empty.
        wrong: skipped images and annotations.
    """

    by_name: dict[str, list[str]] = field(default_factory=dict)
    wrong: list[SkippedItem] = field(default_factory=list)


def parse_coco(path: str, text: str, folder: str = "") -> CocoCaptions:
    """Read a caption file.

    A wrong image or annotation is skipped alone. Ids may be numbers or texts; annotation tools
    write both.

    Args:
        path: of the file, for error messages.
        text: its content.
        folder: of the photos; file names become relative to it.

    Raises:
        SourceError: not a caption file.
    """
    try:
        data = json.loads(text)
        images, annotations = list(data["images"]), list(data["annotations"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(f"{path}: not a COCO caption file ({error!r})") from error
    found = CocoCaptions()
    names = _file_names(path, images, found.wrong, folder)
    if images and not names:
        raise SourceError(f"{path}: not a COCO caption file (no image has id and file_name)")
    found.by_name = {name: [] for name in names.values()}
    for number, annotation in enumerate(annotations):
        _add_annotation(f"{path}, annotation {number}", annotation, names, found)
    return found


def _file_names(
    path: str, images: list[Any], wrong: list[SkippedItem], folder: str
) -> dict[str, str]:
    """Return file names by image id."""
    names = {}
    for number, image in enumerate(images):
        name = image.get("file_name") if isinstance(image, dict) else None
        key = _normalize_id(image.get("id")) if isinstance(image, dict) else None
        if isinstance(name, str) and name and key is not None:
            names[key] = _relative_to(folder, name)
        else:
            wrong.append(SkippedItem(f"{path}, image {number}", "no image with id and file_name"))
    return names


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
