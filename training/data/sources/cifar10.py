"""CIFAR-10 (Krizhevsky 2009) as picture files in class folders: `train/dog/0001.jpg`."""

from pathlib import Path, PurePosixPath

from training.data.sources.base import Example, SkippedItem, SourceItems, is_picture
from training.data.sources.contents import scan_source
from training.data.sources.splits import split_of_folder
from training.data.sources.tiny_imagenet import class_captions


def read_cifar10(place: Path) -> SourceItems:
    """Read the pictures in class folders; the caption is made from the folder name.

    Splits are `train` and `test`, or others that `training.data.sources.splits` knows.

    Raises:
        SourceError: no picture is in a class folder.
    """
    contents = scan_source(place)
    if not any(_parse_path(path) for path in contents.paths):
        raise contents.missing_error("train/CLASS/PICTURE")
    yield from contents.skip_unpacked_archives()
    for name, member in contents.pictures(lambda path: "/".join(_parse_path(path) or [path])):
        if found := _parse_path(member.path):
            split, label, _ = found
            yield Example(split, name, class_captions([label]), member.read, label)
        else:
            yield SkippedItem(member.path, "in no class's folder of a split")


def _parse_path(path: str) -> tuple[str, str, str] | None:
    """Return split, class and name of a picture; None for other files."""
    match PurePosixPath(path).parts[-3:]:
        case (folder, label, name) if is_picture(name) and (split := split_of_folder(folder)):
            return split, label, name
    return None
