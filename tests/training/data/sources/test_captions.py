"""Captions as people write them: no wrong one ends a preparation, none is cut or glued."""

import pytest

from tests.helpers.training.source_files import black_png, coco, idx, json_lines, read, write
from training.common.errors import SourceError

IMAGES = [{"id": 1, "file_name": "01.jpg"}, {"id": 2, "file_name": "02.jpg"}]
GOOD = [{"image_id": 1, "caption": "one"}, {"image_id": 2, "caption": "two"}]
SEPARATORS = ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]


def read_folder(tmp_path, name, text):
    files = {name: text, "a.png": black_png(), "b.png": black_png()}
    examples, skipped = read("folder", write(tmp_path, files))
    return {name: list(e.captions) for name, e in examples.items()}, skipped


def read_coco(tmp_path, images, annotations):
    examples, skipped = read("coco", write(tmp_path, coco(images, annotations)))
    captions = {name[-6:-4]: list(e.captions) for name, e in examples.items()}
    return captions, skipped


@pytest.mark.parametrize("separator", SEPARATORS)
def test_only_line_feeds_end_lines_of_flickr8k(separator, tmp_path):
    caption = f"A dog{separator}runs"
    files = {
        "Flickr8k.token.txt": f"a.jpg#0\t{caption}\r\na.jpg#1\tA cat\r\n",
        "Flickr_8k.trainImages.txt": "a.jpg\r\n",
        "a.jpg": black_png(),
    }
    examples, skipped = read("flickr8k", write(tmp_path, files))
    assert examples["a.jpg"].captions == (caption, "A cat")
    assert not skipped


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_only_line_feeds_end_rows_of_metadata(separator, name, tmp_path):
    caption = f"a dog{separator}runs"
    rows = {
        "metadata.jsonl": json_lines({"file_name": "a.png", "caption": caption}),
        "metadata.csv": f"file_name,caption\r\na.png,{caption}\r\n",
    }
    captions, _ = read_folder(tmp_path, name, rows[name])
    assert captions == {"a.png": [caption]}


def test_lines_without_a_caption_are_named(tmp_path):
    files = {
        "Flickr8k.token.txt": "a.jpg#0\tA dog\nno tab\na.jpg\tno number\n\n",
        "Flickr_8k.trainImages.txt": "a.jpg\n",
        "a.jpg": black_png(),
    }
    _, skipped = read("flickr8k", write(tmp_path, files))
    assert skipped.keys() == {f"Flickr8k.token.txt, line {n}" for n in (2, 3)}


def test_unquoted_commas_are_never_cut(tmp_path):
    text = 'file_name,caption\na.png,a dog, running\nb.png,"a dog, running"\n'
    captions, skipped = read_folder(tmp_path, "metadata.csv", text)
    assert captions == {"b.png": ["a dog, running"]}
    assert "quote a text with commas" in skipped["metadata.csv, line 2"]


@pytest.mark.parametrize(
    "cell",
    ['["a dog", "it\'s, [a] cat"]', "['a dog', \"it's, [a] cat\"]", "['a dog' \"it's, [a] cat\"]"],
    ids=["json", "python", "numpy"],
)
def test_a_list_in_a_cell_is_several_captions(cell, tmp_path):
    quoted = cell.replace('"', '""')
    text = f'file_name,captions\na.png,"{quoted}"\n'
    captions, _ = read_folder(tmp_path, "metadata.csv", text)
    assert captions == {"a.png": ["a dog", "it's, [a] cat"]}


def test_a_caption_in_brackets_is_a_text(tmp_path):
    rows = json_lines(
        {"file_name": "a.png", "caption": "[a dog]"},
        {"file_name": "b.png", "caption": "[a man] and [a dog]"},
    )
    captions, _ = read_folder(tmp_path, "metadata.jsonl", rows)
    assert captions == {"a.png": ["[a dog]"], "b.png": ["[a man] and [a dog]"]}


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    text = "file_name,captions\na.png,\"['a dog', nan]\"\nb.png,a cat\n"
    captions, skipped = read_folder(tmp_path, "metadata.csv", text)
    assert captions == {"b.png": ["a cat"]}
    assert "a list that cannot be read" in skipped["metadata.csv, line 2"]


def test_numbers_are_taken_as_text(tmp_path):
    rows = json_lines(
        {"file_name": "a.png", "caption": 5}, {"file_name": "b.png", "captions": [1.5, "x"]}
    )
    captions, _ = read_folder(tmp_path, "metadata.jsonl", rows)
    assert captions == {"a.png": ["5"], "b.png": ["1.5", "x"]}


@pytest.mark.parametrize("value", [None, True, {"en": "a dog"}, float("nan")])
def test_non_text_is_named_and_the_rest_used(value, tmp_path):
    rows = json_lines({"file_name": "a.png", "captions": ["a dog", value]})
    captions, skipped = read_folder(tmp_path, "metadata.jsonl", rows)
    assert captions == {"a.png": ["a dog"]}
    assert skipped["metadata.jsonl, line 1"].startswith("a caption is not text (")


def test_the_column_text_is_a_caption(tmp_path):
    rows = json_lines({"file_name": "a.png", "text": "a dog"})
    assert read_folder(tmp_path, "metadata.jsonl", rows)[0] == {"a.png": ["a dog"]}


def test_same_row_in_both_metadata_kinds_counts_once(tmp_path):
    row = {"file_name": "a.png", "caption": "a dog"}
    write(tmp_path, {"metadata.csv": "file_name,caption\na.png,a dog\na.png,a cat\n"})
    captions, _ = read_folder(tmp_path, "metadata.jsonl", json_lines(row))
    assert sorted(captions["a.png"]) == ["a cat", "a dog"]


def test_a_line_that_is_no_json_is_named(tmp_path):
    text = json_lines({"file_name": "a.png", "caption": "a"}) + "{broken\n" + "[" * 100_000
    captions, skipped = read_folder(tmp_path, "metadata.jsonl", text)
    assert captions == {"a.png": ["a"]}
    assert set(skipped.values()) == {"not JSON", "not in the metadata"}


@pytest.mark.parametrize("opened", ['b.png,"a dog', 'b.png,a dog,"x', '"b.png,a dog'])
def test_a_quote_that_is_never_closed_swallows_nothing(opened, tmp_path):
    text = f'file_name,caption\na.png,"two\nlines"\n{opened}\nc.png,a cat\n'
    with pytest.raises(SourceError, match=r"metadata\.csv: a quote is opened in line 4"):
        read_folder(tmp_path, "metadata.csv", text)


@pytest.mark.parametrize(
    ("text", "columns"), [("image;caption\na.png;a dog\n", "image;caption"), ("", "none")]
)
def test_csv_without_file_names_tells_its_columns(text, columns, tmp_path):
    with pytest.raises(SourceError, match=rf"no column file_name \(the columns are {columns}\)"):
        read_folder(tmp_path, "metadata.csv", text)


def test_metadata_with_byte_order_mark_and_spaced_header(tmp_path):
    text = "\ufefffile_name, caption\na.png,a dog\n"
    assert read_folder(tmp_path, "metadata.csv", text)[0] == {"a.png": ["a dog"]}


@pytest.mark.parametrize("caption", [None, True, {"en": "x"}, [None]])
def test_coco_annotation_without_text_is_skipped_alone(caption, tmp_path):
    wrong = {"image_id": 2, "caption": caption}
    captions, skipped = read_coco(tmp_path, IMAGES, [*GOOD, wrong])
    assert captions == {"01": ["one"], "02": ["two"]}
    reason = skipped["annotations/captions_train2017.json, annotation 2"]
    assert reason.startswith("a caption is not text (")


def test_list_in_coco_annotation_is_several_captions(tmp_path):
    annotations = [*GOOD, {"image_id": 2, "caption": ["a red dot", "a blue sky"]}]
    captions, _ = read_coco(tmp_path, IMAGES, annotations)
    assert captions["02"] == ["two", "a red dot", "a blue sky"]


@pytest.mark.parametrize("annotation", [{"image_id": 99, "caption": "x"}, {"caption": "x"}, 3])
def test_an_orphan_coco_annotation_is_skipped_alone(annotation, tmp_path):
    captions, skipped = read_coco(tmp_path, IMAGES, [annotation, *GOOD])
    assert captions == {"01": ["one"], "02": ["two"]}
    place = "annotations/captions_train2017.json, annotation 0"
    assert skipped == {place: "annotation of an image that is not listed"}


@pytest.mark.parametrize("image", [None, {"id": 3}, {"id": None, "file_name": "x"}, {"id": [1]}])
def test_a_wrong_coco_image_is_skipped_alone(image, tmp_path):
    captions, skipped = read_coco(tmp_path, [*IMAGES, image], GOOD)
    assert captions == {"01": ["one"], "02": ["two"]}
    assert skipped.keys() == {"annotations/captions_train2017.json, image 2"}


@pytest.mark.parametrize(("image_id", "annotation_id"), [(int, str), (str, int), (float, str)])
def test_coco_ids_may_be_texts(image_id, annotation_id, tmp_path):
    images = [{**one, "id": image_id(one["id"])} for one in IMAGES]
    annotations = [{**one, "image_id": annotation_id(one["image_id"])} for one in GOOD]
    captions, skipped = read_coco(tmp_path, images, annotations)
    assert captions == {"01": ["one"], "02": ["two"]}
    assert not skipped


def test_non_digit_mnist_labels_are_skipped(tmp_path):
    files = {
        "train-images-idx3-ubyte": idx(2, 3, 3),
        "train-labels-idx1-ubyte": idx(2, values=9),
    }
    examples, skipped = read("mnist", write(tmp_path, files))
    assert [e.label for e in examples.values()] == ["9"]
    assert skipped == {"train/00001.png": "its label is no digit (10)"}


def test_celeba_rows_that_do_not_fit_describe_nobody(tmp_path):
    files = {
        "list_attr_celeba.txt": "3\nMale Smiling\n1.jpg 1 1\n2.jpg 1\n3.jpg -1 1\n",
        "list_eval_partition.txt": "1.jpg 0\n2.jpg 0\n3.jpg 7\n",
        **{f"{n}.jpg": black_png() for n in (1, 2, 3)},
    }
    examples, skipped = read("celeba", write(tmp_path, files))
    assert examples.keys() == {"1.jpg"}
    assert skipped == {"2.jpg": "not in the lists", "3.jpg": "not in the lists"}
