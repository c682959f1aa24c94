"""Cards of prepared data, as the Hugging Face Hub reads them."""

from dataclasses import replace

import pytest
from huggingface_hub import DatasetCard

from training.data.dataset_card import DATA_TERMS, dataset_card, size_class
from training.data.manifest import Manifest
from training.data.prepare import prepare
from training.data.sources import SOURCES


@pytest.fixture
def out(tiny_folder, tmp_path):
    (tiny_folder / "green.jpg").write_bytes(b"not a picture")
    prepare("folder", tiny_folder, tmp_path / "out")
    return tmp_path / "out"


def test_prepare_writes_a_card_with_metadata(out):
    card = DatasetCard.load(out / "README.md", ignore_metadata_errors=False)
    data = card.data.to_dict()
    assert data["license"] == "other" and data["size_categories"] == ["n<1K"]
    assert data["task_categories"] == ["image-to-image", "text-to-image"]
    assert "| train | 4 | 5 |" in card.text and "1 items of the source were skipped" in card.text
    assert Manifest.load(out).digest in card.text and DATA_TERMS["folder"] in card.text


def test_a_card_names_no_path(out):
    manifest = replace(Manifest.load(out), encoder="/home/me/encoders/mine")
    assert "/home" not in dataset_card(manifest) and "`mine`" in dataset_card(manifest)


def test_every_source_has_its_terms():
    assert set(SOURCES) == set(DATA_TERMS)


@pytest.mark.parametrize(
    ("images", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (56_000, "10K<n<100K"),
                         (999_999, "100K<n<1M"), (10**6, "1M<n<10M")]
)  # fmt: skip
def test_size_classes_are_the_hubs(images, size):
    assert size_class(images) == size
