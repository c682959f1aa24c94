"""Where files lie: links, hidden folders, damaged archives, names in another Unicode form."""

import errno
import gzip
import io
import json
import os
import tarfile
import unicodedata
from pathlib import Path

import pytest

from tests.helpers.training.source_files import (
    black_png,
    coco,
    json_lines,
    pack_folder,
    read,
    write,
)
from training.common.errors import ArchiveError, SourceError
from training.data.prepare import prepare
from training.data.sources import find_source
from training.data.sources.archives import iter_files
from training.data.sources.contents import match_names, scan_source

IMAGES = [{"id": 1, "file_name": "01.jpg"}, {"id": 2, "file_name": "02.jpg"}]
ANNOTATIONS = [{"image_id": 1, "caption": "one"}, {"image_id": 2, "caption": "two"}]
COCO = coco(IMAGES, ANNOTATIONS)
HIDDEN = [".ipynb_checkpoints", ".git", "__MACOSX", ".thumbnails", "@eaDir"]
LATIN_1 = os.fsdecode(b"caf\xe9")
INCOMPLETE = "it looks incomplete, download it again"


def cut(archive):
    """Leave half of an archive, as an interrupted download does."""
    data = archive.read_bytes()
    archive.write_bytes(data[: len(data) // 2])
    return archive


def half_downloaded(folder, files, name):
    """Put half of an archive of `files` into `folder`."""
    aside = folder.parent / "aside"
    noise = {"noise.bin": os.urandom(50_000)}
    return cut(pack_folder(write(aside, {**files, **noise}), folder / name))


def test_links_to_folders_are_followed(tmp_path):
    photos = {name: data for name, data in COCO.items() if name.endswith(".jpg")}
    write(tmp_path / "elsewhere", photos)
    place = write(tmp_path / "place", {k: v for k, v in COCO.items() if k not in photos})
    (place / "train2017").symlink_to(tmp_path / "elsewhere" / "train2017")
    assert read("coco", place)[0].keys() == photos.keys()


def test_links_that_go_in_circles_end(tmp_path):
    place = write(tmp_path / "place", {"a/1.png": black_png(), "b/2.png": black_png()})
    (place / "a" / "again").symlink_to(place)
    (place / "b" / "across").symlink_to(place / "a")
    (place / "dangling").symlink_to(tmp_path / "nowhere")
    names = [member.path for member in iter_files(place)]
    assert names == ["a/1.png", "b/2.png", "b/across/1.png"]


def test_a_folder_is_walked_in_one_order(tmp_path):
    names = ["b.png", "a/2.png", "a.png", "a/1.png", "a-b/1.png"]
    place = write(tmp_path, {name: black_png() for name in names})
    assert [m.path for m in iter_files(place)] == [
        "a/1.png",
        "a/2.png",
        "a-b/1.png",
        "a.png",
        "b.png",
    ]


def test_unreadable_folder_is_an_error(tmp_path, monkeypatch):
    place, scandir = write(tmp_path, {"a/1.png": black_png(), "b/2.png": black_png()}), os.scandir

    def refuse(folder):
        if Path(folder).name == "a":  # root may read any folder, so its mode is no way
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=r"a: cannot be read \(Permission denied\)"):
        list(iter_files(place))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_hidden_folders_are_no_classes(hidden, packed, tmp_path):
    names = ["train/dog/1.png", f"train/{hidden}/2.png", f"train/dog/{hidden}/3.png"]
    place = write(tmp_path / "c", {name: black_png() for name in names})
    examples, skipped = read("cifar10", pack_folder(place, tmp_path / "c.zip") if packed else place)
    assert {e.label for e in examples.values()} == {"dog"}
    assert not skipped


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_links_inside_archives_are_told(kind, tmp_path):
    link = tarfile.TarInfo("train/dog/2.png")
    link.type, link.linkname = kind, "1.png"
    place, archive = write(tmp_path / "c", {"train/dog/1.png": black_png()}), tmp_path / "c.tar"
    with tarfile.open(archive, "w") as packed:
        packed.add(place, ".")
        packed.addfile(link)
    manifest = prepare("cifar10", archive, tmp_path / "out", size=32)
    assert manifest.splits["train"]["images"] == 1
    (skipped,) = manifest.passed_over
    assert skipped["file_name"] == "train/dog/2.png"
    assert "a link inside an archive" in skipped["reason"]


def test_metadata_in_hidden_folders_is_not_read(tmp_path):
    rows = json_lines({"file_name": "a.png", "caption": "a"})
    old = json_lines({"file_name": "gone.png", "caption": "old"})
    files = {"metadata.jsonl": rows, "a.png": black_png(), ".ipynb_checkpoints/metadata.jsonl": old}
    examples, skipped = read("folder", write(tmp_path, files))
    assert (examples.keys(), skipped) == ({"a.png"}, {})


@pytest.mark.parametrize("name", ["val2017.zip", "val2017.tar", "val2017.tar.gz"])
def test_unneeded_truncated_archive_is_reported(name, tmp_path):
    place = write(tmp_path / "place", COCO)
    half_downloaded(place, {"val2017/1.jpg": black_png()}, name)
    examples, skipped = read("coco", place)
    assert len(examples) == 2
    assert skipped.keys() == {name}
    assert INCOMPLETE in skipped[name]


def test_truncated_archive_of_missing_data_fails_at_once(tmp_path):
    files = coco(IMAGES, ANNOTATIONS, "val2017")
    place = write(tmp_path / "place", {**COCO, **files})
    for photo in ("01.jpg", "02.jpg"):
        (place / "val2017" / photo).unlink()
    half_downloaded(place, {"val2017/01.jpg": black_png()}, "val2017.zip")
    with pytest.raises(ArchiveError, match=rf"val2017\.zip: .*{INCOMPLETE}.*; 2 listed pictures"):
        next(find_source("coco")(place))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_cut_between_files_is_incomplete(mode, tmp_path):
    place = write(tmp_path / "c", {f"train/dog/{i}.png": black_png() for i in range(3)})
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as packed:
        packed.add(place, ".")
        last = packed.getmembers()[-1]
    archive = tmp_path / "c.tar"
    content = whole.getvalue()[: last.offset]
    archive.write_bytes(gzip.compress(content) if mode == "w:gz" else content)
    with pytest.raises(ArchiveError, match=f"{INCOMPLETE}.*without the mark of its end"):
        read("cifar10", archive)


COCO_NAMES = ["train2017/a/01.jpg", "a/01.jpg", "./a/01.jpg", "images/train2017/a/01.jpg"]


@pytest.mark.parametrize("name", [*COCO_NAMES, "a\\01.jpg"])
def test_coco_file_names_may_have_folders(name, tmp_path):
    images = [{"id": 1, "file_name": name}, {"id": 2, "file_name": "b/01.jpg"}]
    annotations = [{"image_id": i, "caption": f"caption {i}"} for i in (1, 2)]
    text = json.dumps({"images": images, "annotations": annotations})
    files = {f"images/train2017/{folder}/01.jpg": black_png() for folder in "ab"}
    place = write(tmp_path, {"captions_train2017.json": text, **files})
    examples, skipped = read("coco", place)
    captions = {key: example.captions for key, example in examples.items()}
    expected = {f"train2017/{f}/01.jpg": (f"caption {i}",) for f, i in (("a", 1), ("b", 2))}
    assert (captions, skipped) == (expected, {})


@pytest.mark.parametrize("name", ["c.zip", "c.tar.gz"])
def test_truncated_archive_beside_its_folder_is_skipped(name, tmp_path):
    place = write(tmp_path / "place", {"c/train/dog/1.png": black_png()})
    half_downloaded(place, {"train/dog/1.png": black_png()}, name)
    examples, skipped = read("cifar10", place)
    assert examples.keys() == {"train/dog/1.png"}
    assert skipped.keys() == {name}


def test_truncated_archive_without_its_folder_is_an_error(tmp_path):
    place = write(tmp_path / "place", {"train/dog/1.png": black_png()})
    half_downloaded(place, {"train/cat/1.png": black_png()}, "cats.tar.gz")
    with pytest.raises(SourceError, match=rf"cats\.tar\.gz: .*{INCOMPLETE}"):
        read("cifar10", place)


def test_a_missing_list_names_the_damaged_archive(tmp_path):
    place = write(tmp_path / "place", {"train2017/01.jpg": black_png()})
    half_downloaded(place, {"annotations/captions_train2017.json": "{}"}, "annotations.zip")
    with pytest.raises(SourceError, match=rf"no captions_.*; annotations\.zip is .*{INCOMPLETE}"):
        read("coco", place)


@pytest.mark.parametrize(
    ("content", "incomplete"),
    [(b"", True), (b"PK\x03\x04 and no more", True), (b"<html>not found</html>", False)],
)
def test_an_archive_says_whether_it_looks_incomplete(content, incomplete, tmp_path):
    place = tmp_path / "x.zip"
    place.write_bytes(content)
    with pytest.raises(ArchiveError, match="not a whole tar or zip archive") as raised:
        scan_source(place)
    assert (INCOMPLETE in str(raised.value)) == incomplete
    assert "\n" not in str(raised.value)


def test_zip_of_a_newer_version_is_clear(tmp_path):
    archive = pack_folder(
        write(tmp_path / "c", {"train/dog/1.png": black_png()}), tmp_path / "x.zip"
    )
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99  # the version needed to extract, times ten
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"a kind of zip that cannot be read .*9\.9"):
        read("cifar10", archive)


def test_mnist_takes_unpacked_files_before_half_downloaded_ones(tmp_path):
    files = {
        "train-images-idx3-ubyte": bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]),
        "train-labels-idx1-ubyte": bytes([0, 0, 8, 1, 0, 0, 0, 1, 3]),
        "train-images-idx3-ubyte.gz": b"\x1f\x8b half",
    }
    assert read("mnist", write(tmp_path, files))[0].keys() == {"train/00000.png"}


@pytest.mark.parametrize(("listed", "present"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_match_in_either_unicode_form(listed, present, tmp_path):
    name, on_disk = (unicodedata.normalize(form, "café.jpg") for form in (listed, present))
    row = json_lines({"file_name": name, "caption": "coffee"})
    examples, skipped = read(
        "folder", write(tmp_path / "f", {"metadata.jsonl": row, on_disk: black_png()})
    )
    assert [e.captions for e in examples.values()] == [("coffee",)]
    assert not skipped
    flickr = {
        "Flickr8k.token.txt": f"{name}#0\tcoffee\n",
        "Flickr_8k.trainImages.txt": f"{name}\n",
        f"Images/{on_disk}": black_png(),
    }
    examples, skipped = read("flickr8k", write(tmp_path / "g", flickr))
    assert [e.captions for e in examples.values()] == [("coffee",)]
    assert not skipped
    photos = coco([{"id": 1, "file_name": name}], [{"image_id": 1, "caption": "coffee"}])
    photos = {k: v for k, v in photos.items() if k.endswith(".json")}
    examples, _ = read(
        "coco", write(tmp_path / "h", {**photos, f"train2017/{on_disk}": black_png()})
    )
    assert [e.captions for e in examples.values()] == [("coffee",)]


def test_the_exact_name_counts_before_another_form():
    composed, apart = "caf\xe9", "cafe\u0301"
    assert match_names([composed], [apart, composed]) == {composed: composed}
    assert match_names([composed, apart], [apart, composed]) == {composed: composed, apart: apart}
    assert match_names([composed], [apart, "x"]) == {apart: composed}


def test_names_that_are_not_unicode_end_nothing(tiny_folder, tmp_path):
    write(tiny_folder, {LATIN_1 + ".png": black_png()})
    with (tiny_folder / "metadata.jsonl").open("a") as file:
        file.write('{"file_name": "\\ud800.png", "caption": "x"}\n')
    manifest = prepare("folder", tiny_folder, tmp_path / "out")
    names = [item["file_name"] for item in manifest.passed_over]
    assert sorted(names) == ["\\ud800.png", "caf\\udce9.png"]


def test_class_folders_that_are_not_unicode_end_nothing(tmp_path):
    place = write(
        tmp_path / "c", {"train/dog/1.png": black_png(), f"train/{LATIN_1}/1.png": black_png()}
    )
    manifest = prepare("cifar10", place, tmp_path / "out", size=32)
    assert manifest.splits["train"]["images"] == 2
