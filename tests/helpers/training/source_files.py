"""Small raw data sets on disk, packed and unpacked, and what a source reads of them."""

import io
import json
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.sources import Example, SkippedItem, find_source


def black_png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def pack_folder(folder: Path, archive: Path) -> Path:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in files:
                packed.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(folder, ".")
    return archive


def read(name: str, place: Path) -> tuple[dict[str, Example], dict[str, str]]:
    """Return examples by name, and the reason of what is skipped by name."""
    examples, skipped = {}, {}
    for item in find_source(name)(place):
        if isinstance(item, SkippedItem):
            skipped[item.file_name] = item.reason
        else:
            assert item.read()
            examples[item.file_name] = item
    return examples, skipped


def json_lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def coco(
    images: Sequence[object], annotations: Sequence[object], folder: str = "train2017"
) -> dict:
    """Files of a COCO data set: the caption file, and two photos."""
    text = json.dumps({"images": images, "annotations": annotations})
    files = {f"{folder}/{name}.jpg": black_png() for name in ("01", "02")}
    return {f"annotations/captions_{folder}.json": text, **files}


def idx(*shape: int, values: int = 0) -> bytes:
    """An idx file, as MNIST has them; its values count up from `values`."""
    head = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    count = 1
    for n in shape:
        count *= n
    return head + bytes(values + i for i in range(count))
