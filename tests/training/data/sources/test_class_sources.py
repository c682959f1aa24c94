"""The layouts of CIFAR-10, MNIST and CelebA, whose captions are made of their labels."""

import gzip

import pytest

from tests.helpers.training.source_files import black_png, idx, pack_folder, read, write
from training.common.errors import SourceError
from training.data.prepare import prepare
from training.data.sources import Example, find_source
from training.data.sources.celeba import describe

CIFAR10 = {
    "cifar10/train/dog/0000.jpg": black_png(),
    "cifar10/test/ship/0000.jpg": black_png(),
    "cifar10/readme.txt": "not a picture",
}
CELEBA = {
    "list_attr_celeba.txt": "2\nMale Smiling Young Eyeglasses\n1.jpg -1 1 1 -1\n2.jpg 1 -1 -1 1\n"
    "3.jpg 1 1 1 1\n",
    "list_eval_partition.txt": "1.jpg 0\n2.jpg 1\n3.jpg 2\n",
    "img_align_celeba/1.jpg": black_png(),
    "img_align_celeba/2.jpg": black_png(),
    "img_align_celeba/9.jpg": black_png(),
}


MNIST = {
    "MNIST/raw/train-images-idx3-ubyte.gz": gzip.compress(idx(2, 3, 3)),
    "MNIST/raw/train-labels-idx1-ubyte.gz": gzip.compress(idx(2, values=6)),
    "MNIST/raw/t10k-images-idx3-ubyte": idx(1, 3, 3),
    "MNIST/raw/t10k-labels-idx1-ubyte": idx(1, values=0),
}


@pytest.mark.parametrize("packed", [False, True])
def test_cifar10_is_captioned_by_its_folders(packed, tmp_path):
    place = write(tmp_path / "c", CIFAR10)
    examples, _ = read("cifar10", pack_folder(place, tmp_path / "c.tar.gz") if packed else place)
    assert examples.keys() == {"train/dog/0000.jpg", "test/ship/0000.jpg"}
    assert "a photo of a dog" in examples["train/dog/0000.jpg"].captions
    assert examples["test/ship/0000.jpg"].split == "test"


def test_mnist_is_read_as_torchvision_leaves_it(tmp_path):
    examples, _ = read("mnist", write(tmp_path, MNIST))
    assert [e.label for e in examples.values()] == ["6", "7", "0"]
    assert examples["train/00001.png"].captions[0] == "a handwritten seven"
    assert examples["test/00000.png"].split == "test"


def test_celeba_captions_come_from_attributes_splits_from_list(tmp_path):
    examples, skipped = read("celeba", write(tmp_path, CELEBA))
    assert examples["1.jpg"].captions == ("a smiling young woman",)
    assert examples["2.jpg"].captions == ("a man with glasses",)
    assert [e.split for e in examples.values()] == ["train", "val"]
    assert skipped == {"9.jpg": "not in the lists", "3.jpg": "listed, but no such picture"}


def test_a_face_may_have_several_things():
    words = describe({"Male", "Young", "Bald", "Mustache"})
    assert words == "a young man with a bald head and a mustache"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"MNIST/raw/t10k-labels-idx1-ubyte": idx(2)}, "1 t10k pictures, but 2 labels"),
        ({"MNIST/raw/t10k-images-idx3-ubyte": idx(1, 3, 3)[:-1]}, "damaged"),
        ({"MNIST/raw/t10k-images-idx3-ubyte": b"junk"}, "not an idx file"),
        ({"MNIST/raw/train-images-idx3-ubyte.gz": b"junk"}, "gzip file is damaged or incomplete"),
    ],
)
def test_a_damaged_mnist_is_a_clear_error(change, says, tmp_path):
    with pytest.raises(SourceError, match=says):
        read("mnist", write(tmp_path, MNIST | change))


@pytest.mark.parametrize("name", ["cifar10", "mnist", "celeba"])
def test_folder_of_something_else_is_a_clear_error(name, tmp_path):
    with pytest.raises(SourceError, match="no "):
        read(name, write(tmp_path, {"notes.txt": "nothing"}))


def test_small_pictures_are_prepared_at_their_own_size(tmp_path):
    manifest = prepare("cifar10", write(tmp_path / "c", CIFAR10), tmp_path / "out", size=32)
    assert manifest.size == 32
    assert manifest.splits["train"] == {"images": 1, "captions": 4}


@pytest.mark.slow
@pytest.mark.data
def test_real_cifar10_has_60000_pictures_of_ten_classes(real_data):
    items = list(find_source("cifar10")(real_data / "cifar10"))
    assert len(items) == 60_000
    assert len({item.label for item in items if isinstance(item, Example)}) == 10
