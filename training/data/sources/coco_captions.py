"""One caption file of MS-COCO: captions by photo, and the annotations that cannot be used."""

import json
from dataclasses import dataclass, field
from typing import Any

from training.common.errors import SourceError
from training.data.sources.base import SkippedItems, caption_texts


@dataclass
class CocoCaptions:
    """What a caption file says.

    Attributes:
        by_name: captions by the photo's file name; empty lists where none is usable.
        wrong: images and annotations that are passed over.
    """

    by_name: dict[str, list[str]] = field(default_factory=dict)
    wrong: list[SkippedItems] = field(default_factory=list)


def parse_coco(path: str, text: str, folder: str = "") -> CocoCaptions:
    """Read a caption file.

    One wrong image or annotation is passed over. Ids may be numbers or texts, as annotation tools
    write them.

    Args:
        path: of the file, for messages.
        text: what is in it.
        folder: of the photos; file names are cut to what stands behind it.

    Raises:
        SourceError: it is not such a file.
    """
    try:
        data = json.loads(text)
        images, annotations = list(data["images"]), list(data["annotations"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SourceError(f"{path}: not a COCO caption file ({error!r})") from error
    found = CocoCaptions()
    names = _names(path, images, found.wrong, folder)
    if images and not names:
        raise SourceError(f"{path}: not a COCO caption file (no image has id and file_name)")
    found.by_name = {name: [] for name in names.values()}
    for number, annotation in enumerate(annotations):
        _add(f"{path}, annotation {number}", annotation, names, found)
    return found


def _names(path: str, images: list[Any], wrong: list[SkippedItems], folder: str) -> dict[str, str]:
    """File name by id."""
    names = {}
    for number, image in enumerate(images):
        name = image.get("file_name") if isinstance(image, dict) else None
        key = _key(image.get("id")) if isinstance(image, dict) else None
        if isinstance(name, str) and name and key is not None:
            names[key] = _within(folder, name)
        else:
            wrong.append(SkippedItems(f"{path}, image {number}", "no image with id and file_name"))
    return names


def _within(folder: str, name: str) -> str:
    """A file name as it counts from a folder: `1.jpg` of `images/train2017/1.jpg`."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    *above, last = parts or [name]
    if folder in above:
        above = above[len(above) - above[::-1].index(folder) :]
    return "/".join([*above, last])


def _add(place: str, annotation: Any, names: dict[str, str], found: CocoCaptions) -> None:
    """Add an annotation's captions to those of its image."""
    given = annotation if isinstance(annotation, dict) else {}
    name = names.get(_key(given.get("image_id")) or "")
    if name is None:
        found.wrong.append(SkippedItems(place, "annotation of an image that is not listed"))
        return
    texts, reasons = caption_texts(given.get("caption"))
    found.by_name[name] += texts
    found.wrong += [SkippedItems(place, reason) for reason in reasons]


def _key(given: object) -> str | None:
    """An id as text: 7, 7.0 and "7" are the same."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return str(given) if isinstance(given, int | str) and given != "" else None
