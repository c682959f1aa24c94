"""CIFAR-10 (Krizhevsky 2009) as picture files in a folder a class: `train/dog/0001.jpg`."""

from pathlib import Path, PurePosixPath

from training.data.sources.base import Example, Reading, SkippedItems, is_picture
from training.data.sources.contents import look_through
from training.data.sources.packed import walk
from training.data.sources.splits import split_of_folder
from training.data.sources.tiny_imagenet import class_captions


def read_cifar10(place: Path) -> Reading:
    """Every picture in a class's folder of a split, captioned by the folder's name.

    The splits are `train` and `test`, or whatever else `training.data.sources.splits` knows.

    Raises:
        SourceError: no picture lies as it should.
    """
    contents = look_through(place)
    if not any(_place_in_layout(path) for path in contents.paths):
        raise contents.lacks("train/CLASS/PICTURE")
    yield from contents.pass_over_unpacked()
    seen: set[str] = set()
    for member in walk(place, without=contents.damaged):
        found = _place_in_layout(member.path)
        if found is None:
            if is_picture(member.path):
                yield SkippedItems(member.path, "in no class's folder of a split")
            continue
        split, label, name = found
        file_name = f"{split}/{label}/{name}"
        if file_name not in seen:
            seen.add(file_name)
            yield Example(split, file_name, class_captions([label]), member.read, label)


def _place_in_layout(path: str) -> tuple[str, str, str] | None:
    """Split, class and name of a picture by its path; None for other files."""
    match PurePosixPath(path).parts[-3:]:
        case (folder, label, name) if is_picture(name):
            split = split_of_folder(folder)
            return (split, label, name) if split else None
    return None
