"""Tiny ImageNet's val as published, sorted by class, and without its list."""

import logging

import pytest

from tests.helpers.training.source_files import black_png, read, write

CLASSES = {
    "wnids.txt": "n01\nn02\n",
    "words.txt": "n01\tgoldfish\nn02\tIce bear\n",
    "train/n01/images/n01_0.JPEG": black_png(),
}
LIST = "val_annotations.txt"
NO_VAL = "nothing is held out"


def val_of(tmp_path, files):
    examples, skipped = read("tiny-imagenet", write(tmp_path, {**CLASSES, **files}))
    assert examples.pop("train/n01_0.JPEG").label == "n01"
    return {name: (e.split, e.label) for name, e in examples.items()}, skipped


@pytest.mark.parametrize("images", ["", "images/"])
@pytest.mark.parametrize("split", ["val", "valid"])
@pytest.mark.parametrize("listed", [False, True])
def test_val_sorted_by_class_is_read(split, images, listed, tmp_path, caplog):
    files = {f"{split}/n02/{images}val_0.JPEG": black_png()}
    if listed:
        files[f"val/{LIST}"] = "val_0.JPEG\tn02\t0\t0\t1\t1\n"
    with caplog.at_level(logging.WARNING):
        assert val_of(tmp_path, files) == ({"val/val_0.JPEG": ("val", "n02")}, {})
    assert not caplog.messages


def test_val_without_its_list_is_reported_per_photo(tmp_path):
    found, skipped = val_of(tmp_path, {"val/images/val_0.JPEG": black_png()})
    assert not found
    assert skipped == {"val/val_0.JPEG": f"no {LIST} that says its label"}


def test_photo_missing_from_the_list_is_reported(tmp_path):
    files = {"val/images/val_0.JPEG": black_png(), f"val/{LIST}": "val_1.JPEG\tn02\r\n"}
    _, skipped = val_of(tmp_path, files)
    assert skipped == {
        "val/val_0.JPEG": f"not in {LIST}",
        "val/val_1.JPEG": "listed, but no such picture",
    }


def test_no_val_at_all_is_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert val_of(tmp_path, {"test/images/test_0.JPEG": black_png()}) == ({}, {})
    assert NO_VAL in caplog.text


def test_a_list_with_windows_line_ends_is_read(tmp_path):
    files = {"val/images/val_0.JPEG": black_png(), f"val/{LIST}": "val_0.JPEG\tn02\r\n"}
    assert val_of(tmp_path, files)[0] == {"val/val_0.JPEG": ("val", "n02")}


@pytest.mark.parametrize("name", ["train/n09/x.JPEG", "val/n09/images/x.JPEG"])
def test_classes_without_a_name_are_told(name, tmp_path):
    _, skipped = val_of(tmp_path, {name: black_png()})
    assert [*skipped.values()] == ["no class name for its label ('n09')"]
