"""MNIST (LeCun et al. 1998) as published and as torchvision keeps it: idx files, gzipped or not."""

import gzip
import io
import math
import zlib
from collections.abc import Container
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.common.errors import SourceError
from training.data.sources.archives import iter_files
from training.data.sources.base import Example, SkippedItem, SourceItems
from training.data.sources.contents import scan_source

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLITS = {"train": "train", "t10k": "test"}
PICTURES, LABELS = "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"
UINT8 = 0x08  # data type, the third byte of an idx file


def read_mnist(place: Path) -> SourceItems:
    """Read the digits of every split found, white on black.

    Raises:
        SourceError: no split has pictures and labels, or a file is damaged.
    """
    contents = scan_source(place)
    files = _idx_files(place, contents.damaged)
    whole = [name for name in SPLITS if PICTURES.format(name) in files]
    if not whole:
        raise contents.missing_error(PICTURES.format("train"))
    yield from contents.skip_damaged_archives([])
    for name in whole:
        pictures = parse_idx(files[PICTURES.format(name)], 3, place)
        labels = parse_idx(files.get(LABELS.format(name), b""), 1, place)
        if len(pictures) != len(labels):
            raise SourceError(f"{place}: {len(pictures)} {name} pictures, but {len(labels)} labels")
        for i, (picture, label) in enumerate(zip(pictures, labels.tolist(), strict=True)):
            file_name = f"{SPLITS[name]}/{i:05d}.png"
            if label >= len(DIGITS):
                yield SkippedItem(file_name, f"its label is no digit ({label})")
                continue
            word = DIGITS[label]
            captions = (f"a handwritten {word}", f"the digit {word}")
            yield Example(SPLITS[name], file_name, captions, partial(_png, picture), str(label))


def parse_idx(data: bytes, dimensions: int, place: Path) -> NDArray[np.uint8]:
    """Parse an idx file: two zeros, type, number of dimensions, sizes of 4 bytes, values.

    Raises:
        SourceError: not an idx file, or truncated.
    """
    head = 4 + 4 * dimensions
    if len(data) < head or data[:4] != bytes([0, 0, UINT8, dimensions]):
        raise SourceError(f"{place}: not an idx file of bytes in {dimensions} dimensions")
    shape = np.frombuffer(data[4:head], ">u4").tolist()
    if len(data) != head + math.prod(shape):
        raise SourceError(f"{place}: an idx file is damaged ({len(data)} bytes)")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _idx_files(place: Path, damaged: Container[str]) -> dict[str, bytes]:
    """Return contents by name; an unpacked file is preferred to a gzipped one."""
    wanted = {form.format(name) for name in SPLITS for form in (PICTURES, LABELS)}
    files: dict[str, bytes] = {}
    packed: dict[str, bytes] = {}
    for member in iter_files(place, without=damaged):
        name = PurePosixPath(member.path).name
        if name in wanted:
            files[name] = member.read()
        elif name.removesuffix(".gz") in wanted:
            packed[name.removesuffix(".gz")] = member.read()
    try:
        return {n: gzip.decompress(data) for n, data in packed.items() if n not in files} | files
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{place}: a gzip file is damaged or incomplete ({error})") from error


def _png(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
