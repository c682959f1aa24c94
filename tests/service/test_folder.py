import pytest

from service.errors import StartError
from service.folder import read_metadata


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


def test_a_folder_without_captions_is_an_error(tmp_path):
    with pytest.raises(StartError, match="neither"):
        read_metadata(tmp_path)
