"""Readers of raw data sets, by name."""

from training.common.errors import SourceError
from training.data.sources.base import Example, SkippedItem, Source, SourceItems
from training.data.sources.celeba import read_celeba
from training.data.sources.cifar10 import read_cifar10
from training.data.sources.coco import read_coco
from training.data.sources.flickr8k import read_flickr8k
from training.data.sources.folder import read_folder
from training.data.sources.mnist import read_mnist
from training.data.sources.tiny_imagenet import read_tiny_imagenet

SOURCES: dict[str, Source] = {
    "flickr8k": read_flickr8k,
    "coco": read_coco,
    "tiny-imagenet": read_tiny_imagenet,
    "cifar10": read_cifar10,
    "mnist": read_mnist,
    "celeba": read_celeba,
    "folder": read_folder,
}


def find_source(name: str) -> Source:
    """Return a reader by its name; raise `SourceError` if there is none."""
    try:
        return SOURCES[name]
    except KeyError:
        raise SourceError(f"no source '{name}'; known are {', '.join(SOURCES)}") from None


__all__ = ["SOURCES", "Example", "SkippedItem", "Source", "SourceItems", "find_source"]
