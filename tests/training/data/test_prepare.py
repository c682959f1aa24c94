import errno
import json
import logging
import os
from pathlib import Path

import datasets
import pytest

from models.captions import DEFAULT_ENCODER, EncoderError, local_folder
from training.common.errors import PreparedDataError, SourceError
from training.data.memory_dataset import load_split
from training.data.prepare import prepare


@pytest.fixture
def out(tmp_path):
    return tmp_path / "made" / "prepared"


def add_row(folder, **row):
    with (folder / "metadata.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def test_result_loads_in_one_line_with_datasets(tiny_folder, out, tmp_path):
    add_row(tiny_folder, file_name="red.png", caption="red again")
    prepare("folder", tiny_folder, out, shard_images=2)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    row = next(row for row in loaded["train"] if row["file_name"] == "red.png")
    assert row["image"].size == (64, 64)
    assert len(row["caption_vectors"]) == len(row["captions"]) == 3


def test_dev_split_keeps_its_name_in_datasets(tiny_folder, out, tmp_path):
    text = (tiny_folder / "metadata.jsonl").read_text()
    (tiny_folder / "metadata.jsonl").write_text(text.replace("}", ', "split": "dev"}', 1))
    prepare("folder", tiny_folder, out)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == {"train": 4, "dev": 1}


def test_shards_are_named_by_split_number_and_count(tiny_folder, out):
    prepare("folder", tiny_folder, out, shard_images=3)
    names = sorted(path.name for path in out.glob("data/*"))
    assert names == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]


def test_the_manifest_counts_pictures_and_captions(tiny_folder, out):
    add_row(tiny_folder, file_name="blue.webp", caption="grey stones")
    manifest = prepare("folder", tiny_folder, out)
    assert manifest.splits == {"train": {"images": 5, "captions": 7}}
    assert manifest.distinct_captions == 6


def test_digest_depends_on_source_and_size(tiny_folder, tmp_path):
    digests = [
        prepare("folder", tiny_folder, tmp_path / f"out{n}", size=size).digest
        for n, size in enumerate((64, 64, 72))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_broken_pictures_are_named_counted_and_passed_over(tiny_folder, out, caplog):
    (tiny_folder / "green.jpg").write_bytes(b"not a picture")
    (tiny_folder / "blue.webp").unlink()
    with caplog.at_level(logging.WARNING):
        manifest = prepare("folder", tiny_folder, out)
    assert {item["file_name"] for item in manifest.passed_over} == {"green.jpg", "blue.webp"}
    assert "skipped green.jpg: cannot be decoded (not a known format)" in caplog.messages
    assert "skipped 2 files in all" in caplog.messages
    assert len(load_split(out, "train")) == 3


def test_picture_with_blank_captions_is_skipped(tiny_folder, out):
    add_row(tiny_folder, file_name="extra.png", caption=" \n\x00 ")
    (tiny_folder / "extra.png").write_bytes((tiny_folder / "red.png").read_bytes())
    manifest = prepare("folder", tiny_folder, out)
    assert manifest.passed_over == [{"file_name": "extra.png", "reason": "no caption"}]


def test_captions_lose_control_characters_and_repeated_spaces(tiny_folder, out):
    add_row(tiny_folder, file_name="grey.bmp", caption="  two\tgrey\x00\nstones ")
    prepare("folder", tiny_folder, out)
    assert "two grey stones" in load_split(out, "train").captions


def test_source_without_usable_picture_is_an_error(tiny_folder, out):
    for path in tiny_folder.glob("*.*"):
        if path.suffix != ".jsonl":
            path.write_bytes(b"broken")
    with pytest.raises(SourceError, match=r"no usable picture \(5 skipped\)"):
        prepare("folder", tiny_folder, out)
    assert list(out.parent.iterdir()) == []


def test_an_interrupted_preparation_leaves_nothing_behind(tiny_folder, out):
    def interrupt(stage, done, total):
        if stage == "captions":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("folder", tiny_folder, out, progress=interrupt)
    assert list(out.parent.iterdir()) == []


def test_non_empty_folder_is_refused_and_left_unchanged(tiny_folder, out):
    out.mkdir(parents=True)
    (out / "precious.txt").write_text("keep")
    with pytest.raises(PreparedDataError, match="not an empty folder"):
        prepare("folder", tiny_folder, out)
    assert [path.name for path in out.iterdir()] == ["precious.txt"]


def test_an_empty_folder_may_be_filled(tiny_folder, out):
    out.mkdir(parents=True)
    prepare("folder", tiny_folder, out)
    assert (out / "manifest.json").is_file()


@pytest.mark.parametrize("target", ["empty", "absent", "further/absent"])
def test_a_symbolic_link_is_followed(tiny_folder, tmp_path, target):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / target)
    prepare("folder", tiny_folder, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert len(load_split(tmp_path / target, "train")) == 5


def refuse_renames_to(out, monkeypatch, code, times=1000):
    """Refuse renames to a folder, as the kernel does with a mount point."""
    rename, left = Path.rename, [times]

    def refuse(self, target):
        if Path(target) == out and left[0] > 0:
            left[0] -= 1
            raise OSError(code, os.strerror(code))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(Path, "replace", refuse)


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EXDEV])
def test_a_mount_point_is_written_from_the_inside(tiny_folder, out, monkeypatch, code):
    out.mkdir(parents=True)
    refuse_renames_to(out, monkeypatch, code)
    prepare("folder", tiny_folder, out)
    names = sorted(path.name for path in out.iterdir())
    assert names == ["README.md", "data", "manifest.json"]
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert len(load_split(out, "train")) == 5


def test_an_interruption_leaves_a_mount_point_empty(tiny_folder, out, monkeypatch):
    out.mkdir(parents=True)
    refuse_renames_to(out, monkeypatch, errno.EBUSY)

    def interrupt(stage, done, total):
        if stage == "captions":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("folder", tiny_folder, out, progress=interrupt)
    assert list(out.iterdir()) == []


def test_the_working_directory_can_be_filled(tiny_folder, out, monkeypatch):
    out.mkdir(parents=True)
    monkeypatch.chdir(out)
    prepare("folder", tiny_folder, Path())
    assert len(load_split(Path(), "train")) == 5


def test_finished_work_is_never_deleted(tiny_folder, out, monkeypatch):
    refuse_renames_to(out, monkeypatch, errno.EBUSY)
    with pytest.raises(PreparedDataError, match="the finished data is in") as found:
        prepare("folder", tiny_folder, out)
    assert len(load_split(Path(str(found.value).rpartition(" is in ")[2]), "train")) == 5


def test_relative_encoder_is_recorded_by_absolute_path(tiny_folder, out, monkeypatch):
    place = local_folder(DEFAULT_ENCODER)
    monkeypatch.chdir(place.parent)
    assert prepare("folder", tiny_folder, out, encoder=place.name).encoder == str(place)


def test_many_passed_over_are_summed_up_by_reason(tiny_folder, out, caplog):
    for number in range(50):
        add_row(tiny_folder, file_name=f"gone-{number}.png", caption="gone")
        add_row(tiny_folder, file_name=f"bad-{number}.png", caption="bad")
        (tiny_folder / f"bad-{number}.png").write_bytes(b"not a picture")
    with caplog.at_level(logging.WARNING):
        manifest = prepare("folder", tiny_folder, out)
    assert len(manifest.passed_over) == 100
    assert len(caplog.messages) < 15
    assert sum(message.startswith("  50 × ") for message in caplog.messages) == 2


def test_writing_into_the_source_is_refused(tiny_folder):
    with pytest.raises(PreparedDataError, match="lies inside the source"):
        prepare("folder", tiny_folder, tiny_folder / "prepared")


def test_unwritable_place_is_a_clear_error(tiny_folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PreparedDataError, match="cannot be made"):
        prepare("folder", tiny_folder, tmp_path / "file" / "out")


def test_size_too_small_for_the_networks_is_refused(tiny_folder, out):
    with pytest.raises(PreparedDataError, match="size 31: the networks need at least 32"):
        prepare("folder", tiny_folder, out, size=31)


def test_a_limit_that_leaves_nothing_is_refused(tiny_folder, out):
    with pytest.raises(PreparedDataError, match="limit 0: leaves no picture"):
        prepare("folder", tiny_folder, out, limit=0)


def test_wrong_encoder_is_reported_before_pictures_are_read(tiny_folder, out, tmp_path):
    messages = []
    with pytest.raises(EncoderError, match="cannot be loaded"):
        prepare(
            "folder",
            tiny_folder,
            out,
            encoder=str(tmp_path / "no-encoder"),
            progress=lambda *news: messages.append(news),
        )
    assert messages == []


def test_limit_counts_each_split_by_itself(tiny_folder, out):
    add_row(tiny_folder, file_name="more.png", caption="more", split="dev")
    (tiny_folder / "more.png").write_bytes((tiny_folder / "red.png").read_bytes())
    manifest = prepare("folder", tiny_folder, out, limit=2)
    assert {name: c["images"] for name, c in manifest.splits.items()} == {"train": 2, "dev": 1}


def test_every_stage_tells_how_far_it_is(tiny_folder, out):
    messages = []
    prepare("folder", tiny_folder, out, progress=lambda *news: messages.append(news))
    assert [news for news in messages if news[1] == news[2] or news[:2] == ("pictures", 5)] == [
        ("pictures", 5, None),
        ("captions", 6, 6),
        ("shards", 1, 1),
    ]


@pytest.mark.slow
@pytest.mark.data
def test_real_flickr8k_is_prepared_from_its_archive(real_data, out):
    prepare("flickr8k", real_data / "flickr8k", out, size=72, limit=20)
    assert load_split(out, "train").images.shape == (20, 3, 72, 72)
    assert load_split(out, "dev").caption_vectors.shape == (100, 384)
