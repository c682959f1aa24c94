"""Where filled pictures are written: checks that no input is replaced."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from captionfill.errors import StartError


def check_no_input(photo: Path, output: Path) -> None:
    """Refuse to write over the picture itself, under whatever name or link.

    Raises:
        StartError: the output is the input.
    """
    if output.exists() and photo.exists() and output.samefile(photo):
        raise StartError(f"{output} is the picture itself: choose another name for the filled one")


def output_places(folder: Path, photos: Sequence[Path], output: Path) -> list[Path]:
    """Return where the filled pictures of a folder go: `a.png` for `a.jpg`.

    Pictures that would get one name (`a.jpg` and `a.webp`) keep their own endings: `a.jpg.png`.
    Names that differ in case alone count as one, since some file systems take them for one.

    Args:
        folder: of the pictures.
        photos: below it.
        output: folder for the filled ones.

    Raises:
        StartError: the output is the folder or in it, a picture is named twice, or two filled
            pictures would still get one name, or one the name of an input.
    """
    if output.resolve().is_relative_to(folder.resolve()):
        raise StartError(f"{output} is the folder of the pictures or in it: choose another with -o")
    for photo, times in Counter(photos).items():
        if times > 1:
            raise StartError(f"{photo} is named {times} times by the captions file: once is needed")
    names = [photo.relative_to(folder) for photo in photos]
    short = [name.with_suffix(".png") for name in names]
    shared = Counter(map(_plain, short))
    places = [
        output / (brief if shared[_plain(brief)] == 1 else name.with_name(f"{name.name}.png"))
        for name, brief in zip(names, short, strict=True)
    ]
    for plain, times in Counter(map(_plain, places)).items():
        if times > 1:
            raise StartError(
                f"{times} filled pictures would be called {plain}: rename the pictures"
            )
    inputs = {photo.resolve() for photo in photos}
    for place in places:
        if place.resolve() in inputs:
            raise StartError(f"{place} is one of the pictures: choose another folder with -o")
    return places


def _plain(path: Path) -> str:
    return str(path).casefold()
