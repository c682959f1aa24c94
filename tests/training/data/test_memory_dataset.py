import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from models.captions import CaptionEncoder
from tests.helpers.images import encode_image
from training.common.errors import PictureError, PreparedDataError
from training.data.image_io import decode_png, square_png
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split
from training.data.prepare import prepare


@pytest.fixture
def prepared(tiny_folder, tmp_path):
    prepare("folder", tiny_folder, tmp_path / "prepared", shard_images=2)
    return tmp_path / "prepared"


def test_a_split_is_read_across_its_shards(prepared):
    split = load_split(prepared, "train")
    assert split.images.shape == (5, 3, 64, 64)
    assert split.images.dtype == torch.uint8
    assert len(split.manifest.shards) == 3


def test_captions_of_a_picture_lie_between_its_offsets(prepared):
    split = load_split(prepared, "train")
    row = split.file_names.index("red.png")
    first, last = split.caption_offsets[row : row + 2].tolist()
    assert split.captions[first:last] == ["a red square", "a picture that is red"]
    assert split.caption_offsets[-1] == len(split.captions) == len(split.caption_vectors)


def test_each_vector_is_that_of_its_own_caption(prepared):
    split = load_split(prepared, "train")
    expected = torch.from_numpy(CaptionEncoder.load().encode(split.captions))
    assert torch.allclose(split.caption_vectors.float(), expected, atol=1e-3)


def test_the_pixels_are_those_of_the_source(prepared, tiny_folder):
    split = load_split(prepared, "train")
    row = split.file_names.index("noise.png")
    expected = decode_png(square_png((tiny_folder / "noise.png").read_bytes(), 64))
    assert np.array_equal(split.images[row].permute(1, 2, 0).numpy(), expected)


def test_a_changed_shard_is_refused(prepared):
    shard = sorted(prepared.glob("data/*.parquet"))[1]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(PreparedDataError, match="digest differs"):
        load_split(prepared, "train")


def test_a_missing_shard_is_named(prepared):
    shard = sorted(prepared.glob("data/*.parquet"))[0]
    shard.unlink()
    with pytest.raises(PreparedDataError, match=f"{shard.name}: missing"):
        load_split(prepared, "train")


def test_an_unknown_split_is_told_the_known_ones(prepared):
    with pytest.raises(PreparedDataError, match="no split 'dev'; it has train"):
        load_split(prepared, "dev")


def test_captions_of_another_encoder_are_refused(prepared):
    with pytest.raises(PreparedDataError, match="embedded by another encoder"):
        load_split(prepared, "train", encoder_fingerprint="sha256:other")


@pytest.mark.parametrize("text", [None, "{", "[]", '{"size": 64}'])
def test_a_folder_without_a_whole_manifest_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(PreparedDataError, match=r"no prepared data|not a manifest"):
        load_split(tmp_path, "train")


def test_a_manifest_reads_back_as_it_was_saved(prepared, tmp_path):
    manifest = dataclasses.replace(Manifest.load(prepared), source="ünïcode")
    manifest.save(tmp_path)
    assert Manifest.load(tmp_path) == manifest


def test_wide_picture_is_centre_cropped_not_squeezed():
    bands = np.zeros((80, 240, 3), np.uint8)
    bands[:, 80:160] = 255
    assert decode_png(square_png(encode_image(Image.fromarray(bands)), 64))[:, 2:-2].min() > 250


def test_picture_of_right_size_keeps_every_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert np.array_equal(decode_png(square_png(encode_image(Image.fromarray(pixels)), 64)), pixels)


def test_exif_orientation_is_honoured():
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise: left becomes top
    upright = decode_png(square_png(encode_image(Image.fromarray(pixels), exif=exif), 64))
    assert upright[:32].min() == 255
    assert upright[32:].max() == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_eight_bit_mode_becomes_rgb(mode):
    data = encode_image(Image.new("RGB", (70, 70), "white").convert(mode), "TIFF")
    assert decode_png(square_png(data, 64)).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a known format"),
        (b"hello", "not a known format"),
        (encode_image(Image.new("RGB", (99, 99)))[:-40], "cannot be decoded"),
        (encode_image(Image.new("I;16", (99, 99))), "8 bits a channel"),
        (encode_image(Image.new("1", (12_000, 12_000))), "too many pixels"),
    ],
)
def test_unusable_picture_file_is_refused_with_the_reason(data, reason):
    with pytest.raises(PictureError, match=reason):
        square_png(data, 64)
