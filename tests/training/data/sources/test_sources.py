import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.training.source_files import black_png, pack_folder, read, write
from training.common.errors import PictureError, SourceError
from training.data.sources import Example, find_source
from training.data.sources.archives import iter_files
from training.data.sources.base import SkippedItem
from training.data.sources.tiny_imagenet import class_captions, with_article

FLICKR = {
    "Flickr8k.token.txt": "a.jpg#0\tA dog runs .\na.jpg#1\tA brown dog\nb.jpg#0\tA cat\n",
    "Flickr_8k.trainImages.txt": "a.jpg\n",
    "Flickr_8k.devImages.txt": "b.jpg\ngone.jpg\n",
    "Images/a.jpg": black_png(),
    "Images/b.jpg": black_png(),
    "Images/unlisted.jpg": black_png(),
}
TINY = {
    "t/wnids.txt": "n01\nn02\n",
    "t/words.txt": "n01\tgoldfish, Carassius auratus\nn02\tIce bear\nn03\tunused\n",
    "t/train/n01/images/n01_0.JPEG": black_png(),
    "t/train/n09/images/n09_0.JPEG": black_png(),
    "t/val/images/val_0.JPEG": black_png(),
    "t/val/val_annotations.txt": "val_0.JPEG\tn02\t0\t0\t1\t1\nval_1.JPEG\tn01\t0\t0\t1\t1\n",
    "t/test/images/test_0.JPEG": black_png(),
}
COCO = {
    "annotations/captions_val2017.json": json.dumps(
        {
            "images": [{"id": 7, "file_name": "07.jpg"}, {"id": 8, "file_name": "08.jpg"}],
            "annotations": [
                {"image_id": 7, "caption": "a bus"},
                {"image_id": 7, "caption": "a red bus"},
            ],
        }
    ),
    "val2017/07.jpg": black_png(),
    "train2017/07.jpg": black_png(),
}
LAYOUTS = {"flickr8k": FLICKR, "tiny-imagenet": TINY, "coco": COCO}


def test_flickr8k_takes_its_splits_from_the_published_lists(tmp_path):
    examples, _ = read("flickr8k", write(tmp_path, FLICKR))
    assert {name: e.split for name, e in examples.items()} == {"a.jpg": "train", "b.jpg": "dev"}


def test_flickr8k_captions_join_their_photo_without_tokenised_stop(tmp_path):
    examples, _ = read("flickr8k", write(tmp_path, FLICKR))
    assert examples["a.jpg"].captions == ("A dog runs.", "A brown dog")


def test_flickr8k_names_unlisted_photos_and_lines_without_photo(tmp_path):
    _, skipped = read("flickr8k", write(tmp_path, FLICKR))
    assert skipped == {
        "unlisted.jpg": "in none of the split lists",
        "gone.jpg": "listed, but no such picture",
    }


def test_flickr8k_without_its_captions_is_a_clear_error(tmp_path):
    with pytest.raises(SourceError, match=r"no Flickr8k\.token\.txt"):
        read("flickr8k", write(tmp_path, {"Images/a.jpg": black_png()}))


def test_tiny_imagenet_labels_by_folder_and_by_annotation(tmp_path):
    examples, _ = read("tiny-imagenet", write(tmp_path, TINY))
    labels = {name: (e.split, e.label) for name, e in examples.items()}
    assert labels == {
        "train/n01_0.JPEG": ("train", "n01"),
        "val/val_0.JPEG": ("val", "n02"),
    }


def test_tiny_imagenet_names_unknown_classes_and_missing_photos(tmp_path):
    _, skipped = read("tiny-imagenet", write(tmp_path, TINY))
    assert skipped.keys() == {"train/n09_0.JPEG", "val/val_1.JPEG"}


def test_class_has_several_wordings_and_synonyms():
    captions = class_captions(["goose", "gander"])
    assert captions[:2] == ("a photo of a goose", "goose")
    assert "a photo of a gander" in captions
    assert len(set(captions)) == 5


@pytest.mark.parametrize(
    ("noun", "phrase"),
    [
        ("iPod", "an iPod"),
        ("European fire salamander", "a European fire salamander"),
        ("sunglasses", "sunglasses"),
        ("school bus", "a school bus"),
        ("hourglass", "an hourglass"),
    ],
)
def test_articles_follow_the_sound_and_plurals_have_none(noun, phrase):
    assert with_article(noun) == phrase


def test_coco_takes_photos_only_from_its_annotations_folder(tmp_path):
    examples, _ = read("coco", write(tmp_path, COCO))
    assert list(examples) == ["val2017/07.jpg"]
    assert examples["val2017/07.jpg"].captions == ("a bus", "a red bus")


def test_coco_names_a_missing_annotated_photo(tmp_path):
    _, skipped = read("coco", write(tmp_path, COCO))
    assert skipped == {"val2017/08.jpg": "listed, but no such picture"}


@pytest.mark.parametrize("text", ["not json", "[]", '{"images": [{"id": 1}], "annotations": []}'])
def test_coco_file_of_another_shape_is_an_error(tmp_path, text):
    place = write(tmp_path, {"captions_train2017.json": text, "train2017/a.jpg": black_png()})
    with pytest.raises(SourceError, match="not a COCO caption file"):
        read("coco", place)


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_packed_source_reads_as_its_folder_does(tmp_path, layout, ending):
    folder = write(tmp_path / "open", LAYOUTS[layout])
    archive = pack_folder(folder, tmp_path / f"packed{ending}")
    packed, unpacked = read(layout, archive), read(layout, folder)
    assert packed[0].keys() == unpacked[0].keys()
    assert packed[1] == unpacked[1]


def test_archives_in_the_source_folder_are_read_directly(tmp_path):
    folder = write(tmp_path / "open", {k: v for k, v in FLICKR.items() if k.startswith("Images")})
    place = write(tmp_path / "place", {k: v for k, v in FLICKR.items() if k.endswith(".txt")})
    pack_folder(folder, place / "Images.tar.gz")
    assert read("flickr8k", place)[0].keys() == {"a.jpg", "b.jpg"}


def test_a_picture_both_packed_and_unpacked_counts_once(tmp_path):
    place = write(tmp_path / "place", FLICKR)
    pack_folder(write(tmp_path / "open", {"Images/a.jpg": black_png()}), place / "Images.zip")
    names = [i.file_name for i in find_source("flickr8k")(place) if isinstance(i, Example)]
    assert sorted(names) == ["a.jpg", "b.jpg"]


def test_truncated_archive_is_an_error(tmp_path):
    noise = np.random.default_rng(0).bytes(200_000)
    archive = pack_folder(
        write(tmp_path / "open", {"a.jpg": noise, "b.jpg": noise}), tmp_path / "x.tgz"
    )
    archive.write_bytes(archive.read_bytes()[:-100_000])
    with pytest.raises(SourceError, match="not a whole tar or zip"):
        [member.read() for member in iter_files(archive)]


@pytest.mark.parametrize("name", ["absent", "notes.txt"])
def test_source_neither_folder_nor_archive_is_an_error(tmp_path, name):
    write(tmp_path, {"notes.txt": "hello"})
    with pytest.raises(SourceError, match=r"no such file|not a whole tar"):
        read("flickr8k", tmp_path / name)


def test_macos_archive_extras_are_not_pictures(tmp_path):
    place = write(tmp_path, FLICKR | {"__MACOSX/Images/._a.jpg": b"\0", "Images/._b.jpg": b"\0"})
    assert not any("._" in item.file_name for item in find_source("flickr8k")(place))


def folder_of(tmp_path: Path, rows: list[object]) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return write(tmp_path, {"metadata.jsonl": lines, "a.png": black_png(), "b.png": black_png()})


def test_a_folder_takes_caption_or_captions(tmp_path):
    rows = [
        {"file_name": "a.png", "caption": "one"},
        {"file_name": "b.png", "captions": ["x", "y"]},
    ]
    examples, _ = read("folder", folder_of(tmp_path, rows))
    assert {e.captions for e in examples.values()} == {("one",), ("x", "y")}


def test_csv_rows_add_up_and_cells_hold_lists(tmp_path):
    text = 'file_name,caption,captions\na.png,one,\na.png,"two, too",\nb.png,,"[""x"", ""y""]"\n'
    place = write(tmp_path, {"metadata.csv": text, "a.png": black_png(), "b.png": black_png()})
    examples, _ = read("folder", place)
    assert examples["a.png"].captions == ("one", "two, too")
    assert examples["b.png"].captions == ("x", "y")


def test_split_column_overrides_folder_and_defaults_to_train(tmp_path):
    a = json.dumps({"file_name": "a.png", "caption": "a"})
    held_out = json.dumps({"file_name": "b.png", "caption": "b", "split": "held_out"})
    files = {
        "metadata.jsonl": a,
        "a.png": black_png(),
        "val/b.png": black_png(),
        "val/a.png": black_png(),
    }
    place = write(tmp_path, files | {"val/metadata.jsonl": f"{a}\n{held_out}\n"})
    examples, _ = read("folder", place)
    splits = {name: e.split for name, e in examples.items()}
    assert splits == {"a.png": "train", "val/a.png": "val", "val/b.png": "held_out"}


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "..\\a.png"])
def test_file_name_leaving_the_folder_is_refused(tmp_path, name):
    place = folder_of(tmp_path / "in", [{"file_name": name, "caption": "out"}])
    write(tmp_path, {"a.png": black_png()})
    examples, skipped = read("folder", place)
    assert not examples
    assert "climbs out" in skipped["metadata.jsonl, line 1"]


@pytest.mark.parametrize("row", [[], "text", {"caption": "no name"}, {"file_name": 3}])
def test_a_wrong_row_is_named_by_its_line(tmp_path, row):
    good = {"file_name": "a.png", "caption": "a"}
    examples, skipped = read("folder", folder_of(tmp_path, [good, row]))
    assert examples.keys() == {"a.png"}
    assert skipped["metadata.jsonl, line 2"] == "no row with a file_name"


def test_split_that_could_be_a_path_is_refused(tmp_path):
    row = {"file_name": "a.png", "caption": "a", "split": "../x"}
    _, skipped = read("folder", folder_of(tmp_path, [row]))
    assert "not a plain name" in skipped["metadata.jsonl, line 1"]


def test_pictures_without_rows_and_vice_versa_are_named(tmp_path):
    rows = [{"file_name": "a.png", "caption": "a"}, {"file_name": "c.png", "caption": "c"}]
    _, skipped = read("folder", folder_of(tmp_path, rows))
    assert skipped == {
        "b.png": "not in the metadata",
        "c.png": "listed, but no such picture",
    }


def test_a_folder_without_metadata_is_a_clear_error(tmp_path):
    with pytest.raises(SourceError, match=r"no metadata\.jsonl or metadata\.csv"):
        read("folder", write(tmp_path, {"a.png": black_png()}))


def test_metadata_not_in_utf8_is_a_clear_error(tmp_path):
    with pytest.raises(SourceError, match=r"metadata\.csv: not UTF-8"):
        read("folder", write(tmp_path, {"metadata.csv": b"file_name,caption\na.png,caf\xe9"}))


def test_damaged_file_in_zip_is_skipped_alone(tmp_path):
    archive = pack_folder(
        write(tmp_path / "open", {"a.jpg": b"A" * 99, "b.jpg": b"B" * 99}), tmp_path / "x.zip"
    )
    archive.write_bytes(archive.read_bytes().replace(b"A" * 99, b"C" * 99))
    members = iter_files(archive)
    with pytest.raises(PictureError, match="cannot be unpacked"):
        next(members).read()
    assert next(members).read() == b"B" * 99


def test_an_unknown_source_is_told_the_known_ones():
    with pytest.raises(SourceError, match=r"flickr8k, coco, tiny-imagenet, .*folder"):
        find_source("imagenet")


@pytest.mark.slow
@pytest.mark.data
def test_real_flickr8k_has_five_captions_per_photo(real_data):
    items = list(find_source("flickr8k")(real_data / "flickr8k"))
    examples = [item for item in items if isinstance(item, Example)]
    assert len(examples) == 7091 and all(len(item.captions) == 5 for item in examples)
    # The folder may hold other packed pictures, too, such as the originals of some photos.
    others = {item.reason for item in items if isinstance(item, SkippedItem)}
    assert others <= {"in none of the split lists"}


@pytest.mark.slow
@pytest.mark.data
def test_real_tiny_imagenet_has_captions_for_52000_photos(real_data):
    items = list(find_source("tiny-imagenet")(real_data / "tiny-imagenet-200"))
    assert len(items) == 52_000
    assert all(isinstance(item, Example) and item.captions for item in items)
