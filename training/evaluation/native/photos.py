"""Photos with captions as they are, and patches of them that a removal would fill."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from captionfill.errors import CaptionfillError
from captionfill.imaging.canvas import Canvas
from captionfill.imaging.codec import Pixels
from training.common.errors import EvaluationError
from training.data.sources.base import Example
from training.data.sources.folder import read_folder

PATCH = 48  # pixels, in photos of about 500
_LARGE = 320  # pixels of the shorter side of a photo for patches
_STEP, _APART, _PER_PHOTO = 24, 72, 5
_MARGIN = 4  # pixels around a patch that are plain as well


@dataclass(frozen=True)
class NativePhoto:
    """A photo at its own size, with the region to fill, and its first caption."""

    canvas: Canvas
    caption: str


def read_photos(place: Path, limit: int | None) -> list[NativePhoto]:
    """Read photos with captions of a folder or an archive, evenly spaced.

    Raises:
        EvaluationError: fewer than two of them can be used.
        SourceError: no metadata there, or it cannot be read.
    """
    found = [
        (example.read(), example.captions[0])
        for example in read_folder(place)
        if isinstance(example, Example) and example.captions
    ]
    count = min(len(found), limit or len(found))
    chosen = [found[i * len(found) // count] for i in range(count)]
    try:
        photos = [NativePhoto(Canvas.open(image), caption) for image, caption in chosen]
    except CaptionfillError as error:
        raise EvaluationError(f"{place}: {error}") from error
    if len(photos) < 2:
        raise EvaluationError(f"{place}: an evaluation needs at least 2 photos, not {len(photos)}")
    return photos


def plain_patches(photos: list[NativePhoto], count: int) -> list[NativePhoto]:
    """Choose the patches of 48×48 that vary least, of large photos; at most five of one."""
    found = [
        (variation, i, corner)
        for i, photo in enumerate(photos)
        for variation, corner in _plainest(photo.canvas.picture.rgb)
    ]
    return [
        NativePhoto(
            Canvas.open(photos[i].canvas.picture.rgb, (*corner, PATCH, PATCH)), photos[i].caption
        )
        for _, i, corner in sorted(found)[:count]
    ]


def _plainest(rgb: Pixels) -> Iterator[tuple[float, tuple[int, int]]]:
    """Yield variation and corner of patches that lie apart, the plainest first."""
    height, width, _ = rgb.shape
    if min(height, width) < _LARGE:
        return
    corners = [
        (x, y)
        for y in range(_STEP, height - PATCH - _MARGIN, _STEP)
        for x in range(_STEP, width - PATCH - _MARGIN, _STEP)
    ]
    taken: list[tuple[int, int]] = []
    for variation, (x, y) in sorted((_variation(rgb, *corner), corner) for corner in corners):
        if all(max(abs(x - a), abs(y - b)) >= _APART for a, b in taken):
            taken.append((x, y))
            yield variation, (x, y)
        if len(taken) == _PER_PHOTO:
            return


def _variation(rgb: Pixels, x: int, y: int) -> float:
    """Standard deviation of a patch and its margin in levels, the mean over channels."""
    part = rgb[y - _MARGIN : y + PATCH + _MARGIN, x - _MARGIN : x + PATCH + _MARGIN]
    return float(part.std((0, 1)).mean())
