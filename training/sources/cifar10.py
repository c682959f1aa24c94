"""CIFAR-10 (Krizhevsky 2009) as picture files in a folder a class: `train/dog/0001.jpg`."""

from pathlib import Path, PurePosixPath

from training.errors import SourceError
from training.sources.base import Example, Reading, is_picture
from training.sources.packed import walk
from training.sources.tiny_imagenet import class_captions

SPLITS = ("train", "test")


def read_cifar10(place: Path) -> Reading:
    """Every picture under `train` and `test`, captioned by its folder's name.

    Raises:
        SourceError: no picture lies as it should.
    """
    found = False
    for member in walk(place):
        match PurePosixPath(member.path).parts[-3:]:
            case (split, label, name) if split in SPLITS and is_picture(name):
                found = True
                file_name = f"{split}/{label}/{name}"
                yield Example(split, file_name, class_captions([label]), member.read, label)
    if not found:
        raise SourceError(f"{place}: no train/CLASS/PICTURE there, nor in an archive there")
