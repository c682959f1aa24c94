import json
from unicodedata import normalize

import pytest

from captionfill.errors import StartError
from service.cli.folder import read_metadata


def test_json_lines_are_read(tmp_path):
    one = '{"file_name": "a.png", "caption": "one"}'
    two = '{"file_name": "b/c.png", "captions": ["two", "x"]}'
    (tmp_path / "metadata.jsonl").write_text(f"{one}\n\n{two}\n")
    assert read_metadata(tmp_path) == [(tmp_path / "a.png", "one"), (tmp_path / "b/c.png", "two")]


def test_csv_is_read(tmp_path):
    (tmp_path / "metadata.csv").write_text('file_name,caption\na.png,"one, two"\n')
    assert read_metadata(tmp_path) == [(tmp_path / "a.png", "one, two")]


@pytest.mark.parametrize(
    "text", ["not json", "[1]", '{"caption": "x"}', '{"file_name": "../a.png", "caption": "x"}']
)
def test_a_bad_row_is_one_clear_error(tmp_path, text):
    (tmp_path / "metadata.jsonl").write_text(text)
    with pytest.raises(StartError, match="captions file"):
        read_metadata(tmp_path)


def test_an_open_quote_swallows_no_rows(tmp_path):
    (tmp_path / "metadata.csv").write_text('file_name,caption\na.png,"a dog\nb.png,a cat\n')
    with pytest.raises(StartError, match="a quote is opened in line 2 and never closed"):
        read_metadata(tmp_path)


def test_a_folder_without_captions_is_an_error(tmp_path):
    with pytest.raises(StartError, match="neither"):
        read_metadata(tmp_path)


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029"])
def test_a_caption_may_hold_what_ends_lines_elsewhere(tmp_path, mark):
    row = f'{{"file_name": "a.png", "caption": "one{mark}two"}}'
    (tmp_path / "metadata.jsonl").write_text(f"\ufeff{row}\r\n{row}\n", encoding="utf-8")
    assert [caption for _, caption in read_metadata(tmp_path)] == [f"one{mark}two"] * 2


@pytest.mark.parametrize(
    ("fields", "caption"),
    [
        ('"text": "a"', "a"),
        ('"caption": 5', "5"),
        ('"caption": null', ""),
        ('"captions": []', ""),
        ('"captions": ["a", "b"]', "a"),
    ],
)
def test_a_caption_has_several_names_and_kinds(tmp_path, fields, caption):
    (tmp_path / "metadata.jsonl").write_text(f'{{"file_name": "a.png", {fields}}}')
    assert read_metadata(tmp_path) == [(tmp_path / "a.png", caption)]


@pytest.mark.parametrize("value", ["true", '{"en": "x"}', "[null]", "[[1]]"])
def test_a_caption_that_is_not_text_is_named(tmp_path, value):
    good = '{"file_name": "a.png", "caption": "x"}'
    bad = f'{{"file_name": "b.png", "caption": {value}}}'
    (tmp_path / "metadata.jsonl").write_text(f"{good}\n{bad}\n")
    with pytest.raises(StartError, match="row 2: the caption is not text"):
        read_metadata(tmp_path)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.png,a dog, running", "row 1: more fields than columns: quote"),
        ("a.png,\"['a', nan]\"", "row 1: the captions are a list that cannot be read"),
    ],
)
def test_cells_are_never_cut_or_glued(tmp_path, row, words):
    (tmp_path / "metadata.csv").write_text(f"file_name,captions\n{row}\n")
    with pytest.raises(StartError, match=words):
        read_metadata(tmp_path)


@pytest.mark.parametrize("cell", ['"[""a, b"", ""c""]"', "\"['a, b', 'c']\""])
def test_a_cell_may_hold_a_list(tmp_path, cell):
    (tmp_path / "metadata.csv").write_text(f"file_name,captions\na.png,{cell}\n")
    assert read_metadata(tmp_path) == [(tmp_path / "a.png", "a, b")]


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_byte_order_mark_is_not_in_first_row(tmp_path, name):
    text = '{"file_name": "a.png", "caption": "one"}\n'
    text = text if name.endswith("jsonl") else "file_name,caption\na.png,one\n"
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert read_metadata(tmp_path) == [(tmp_path / "a.png", "one")]


@pytest.mark.parametrize(("there", "named"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_are_found_composed_or_decomposed(tmp_path, there, named):
    place = tmp_path / normalize(there, "été") / normalize(there, "café.png")
    place.parent.mkdir()
    place.write_bytes(b"")
    row = {"file_name": normalize(named, "été/café.png"), "caption": "coffee"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    assert read_metadata(tmp_path) == [(place, "coffee")]
