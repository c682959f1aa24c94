"""Which split a picture goes to, by folder, column or path."""

import logging

import pytest

from tests.helpers.training.source_files import black_png, json_lines, read, write
from training.data.sources.splits import canonical_split, looks_like_split, split_of_folder

HELD_OUT = {
    "valid": "val",
    "Validation": "val",
    "eval": "val",
    "val2017": "val",
    "dev": "dev",
    "testing": "test",
    "test_1": "test",
}


@pytest.mark.parametrize(("folder", "split"), HELD_OUT.items())
def test_held_out_folders_do_not_go_into_train(folder, split, tmp_path):
    files = {}
    for place in ("train", folder):
        row = {"file_name": "a.png", "caption": place}
        files |= {f"{place}/metadata.jsonl": json_lines(row), f"{place}/a.png": black_png()}
    examples, _ = read("folder", write(tmp_path, files))
    splits = {name: e.split for name, e in examples.items()}
    assert splits == {"train/a.png": "train", f"{folder}/a.png": split}


def test_the_path_of_a_row_says_its_split(tmp_path):
    names = ["train/a.png", "val/a.png", "x/validation/y/a.png", "other/a.png"]
    rows = json_lines(*({"file_name": name, "caption": "c"} for name in names))
    files = {"metadata.jsonl": rows, **{name: black_png() for name in names}}
    examples, _ = read("folder", write(tmp_path, files))
    assert [examples[name].split for name in names] == ["train", "val", "val", "train"]


@pytest.mark.parametrize(
    ("value", "split"), [("Valid", "val"), ("validation", "val"), (" TEST ", "test"), ("x1", "x1")]
)
def test_a_split_column_knows_the_usual_names(value, split, tmp_path):
    row = {"file_name": "train/a.png", "caption": "c", "split": value}
    files = {"metadata.jsonl": json_lines(row), "train/a.png": black_png()}
    examples, _ = read("folder", write(tmp_path, files))
    assert examples["train/a.png"].split == split


def test_picture_in_two_splits_stays_in_the_first(tmp_path):
    rows = [{"file_name": "a.png", "caption": s, "split": s} for s in ("val", "train")]
    files = {"metadata.jsonl": json_lines(*rows), "a.png": black_png()}
    examples, skipped = read("folder", write(tmp_path, files))
    assert (examples["a.png"].split, examples["a.png"].captions) == ("val", ("val",))
    assert "another split" in skipped["metadata.jsonl, line 2"]


@pytest.mark.parametrize("folder", ["holdout", "held_out", "test images", "val-unseen", "unseen"])
def test_folders_that_sound_held_out_are_told(folder, tmp_path, caplog):
    rows = json_lines(*({"file_name": f"{f}/a.png", "caption": "c"} for f in (folder, "mine")))
    files = {"metadata.jsonl": rows, f"{folder}/a.png": black_png(), "mine/a.png": black_png()}
    with caplog.at_level(logging.WARNING):
        examples, _ = read("folder", write(tmp_path, files))
    assert examples[f"{folder}/a.png"].split == "train"
    (message,) = caplog.messages
    assert message.startswith(f"the pictures of {folder} go into train")


@pytest.mark.parametrize("name", ["testament", "values", "devices", "evaluate me", "contest"])
def test_other_words_name_no_split(name):
    assert split_of_folder(name) is None
    assert not looks_like_split(name)
    assert canonical_split(name) == name


def test_cifar10_holds_out_valid_and_names_other_folders(tmp_path):
    names = ["train/dog/1.png", "valid/dog/1.png", "extra/dog/2.png", "train/3.png"]
    examples, skipped = read("cifar10", write(tmp_path, {name: black_png() for name in names}))
    assert {e.split for e in examples.values()} == {"train", "val"}
    assert skipped.keys() == {"extra/dog/2.png", "train/3.png"}


def test_coco_captions_of_validation_are_val(tmp_path):
    text = '{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": []}'
    files = {"captions_validation.json": text, "validation/1.jpg": black_png()}
    examples, _ = read("coco", write(tmp_path, files))
    assert examples["validation/1.jpg"].split == "val"
