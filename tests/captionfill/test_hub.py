"""Bundles of the Hugging Face Hub: against a hub on this machine, and from its local cache."""

import os
import shutil
from pathlib import Path

import pytest

from captionfill import Inpainter
from captionfill.errors import StartError
from captionfill.hub import bundle_folder, split_reference
from models.captions import CaptionEncoder
from service.config.settings import load_settings
from service.worker.predictor import Predictor
from tests.helpers.fake_hub import fake_hub

COMMIT = "a" * 40


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with fake_hub(monkeypatch, tmp_path / "cache") as running:
        yield running


@pytest.fixture
def pushed(hub, tiny_bundle):
    """The commit of a bundle on the hub, with files that no service needs."""
    files = {path.name: path.read_bytes() for path in tiny_bundle.iterdir()}
    return hub.commit("me/tiny", {**files, "training-state.safetensors": b"?", "grid.png": b"?"})


def test_a_bundle_of_the_hub_fills(hub, pushed, tiny_bundle, noise):
    there, here = (
        Inpainter.from_pretrained(place, "cpu") for place in ("hf://me/tiny", tiny_bundle)
    )
    made = [one(noise(80, 80), "a cat", seed=1).candidates[0].png() for one in (there, here)]
    assert there.digest == here.digest and made[0] == made[1]


def test_only_what_inference_reads_is_downloaded(hub, pushed):
    names = {path.name for path in bundle_folder(f"hf://me/tiny@{pushed}").iterdir()}
    assert names == {
        "README.md", "config.json", "generator.safetensors", "generator.onnx",
        "reference.safetensors",
    }  # fmt: skip


def test_a_revision_stays_when_main_moves(hub, pushed, scored_bundle):
    moved = {path.name: path.read_bytes() for path in scored_bundle.iterdir()}
    hub.commit("me/tiny", moved)
    assert Inpainter.load(f"hf://me/tiny@{pushed}", "cpu").name == "tiny"
    assert Inpainter.load("hf://me/tiny@main", "cpu").name == "scored"


@pytest.fixture
def cached(monkeypatch, tmp_path, tiny_bundle):
    """A bundle in the local cache of a machine that may not ask the hub."""
    from huggingface_hub import constants

    place = tmp_path / "cache" / "models--me--tiny"
    (place / "blobs").mkdir(parents=True)
    (place / "snapshots" / COMMIT).mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)
    for path in tiny_bundle.iterdir():
        shutil.copy(path, place / "blobs" / path.name)
        (place / "snapshots" / COMMIT / path.name).symlink_to(place / "blobs" / path.name)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return place


@pytest.mark.parametrize("revision", ["", "@main", f"@{COMMIT}"])
def test_the_cache_serves_without_a_network(cached, revision):
    assert Inpainter.load(f"hf://me/tiny{revision}", "cpu").name == "tiny"


def test_a_worker_loads_folders_and_the_hub(cached, scored_bundle):
    assert [*Predictor.load([scored_bundle, "hf://me/tiny"]).models] == ["scored", "tiny"]


@pytest.mark.parametrize("compiled", [True, False])
def test_an_encoder_leaves_the_hub_reachable(monkeypatch, compiled):
    """Loaded before a bundle of the Hub, it must not make the process offline."""
    monkeypatch.delenv("HF_HUB_OFFLINE")
    CaptionEncoder.load(compiled=compiled)
    assert "HF_HUB_OFFLINE" not in os.environ


def test_settings_take_folders_and_references(monkeypatch):
    monkeypatch.setenv("CAPTIONFILL_BUNDLE", f"hf://me/tiny@{COMMIT}")
    monkeypatch.setenv("CAPTIONFILL_BUNDLES", "/one:hf://me/a@v1:relative/two:hf://me/b")
    places = load_settings().bundle_places
    assert places == [f"hf://me/tiny@{COMMIT}", Path("/one"), "hf://me/a@v1",
                      Path("relative/two"), "hf://me/b"]  # fmt: skip


@pytest.mark.parametrize(
    "wrong", ["hf://", "hf://me", "hf://me/a/b", "hf://me/a@", "hf://me/a@b@c"]
)
def test_a_wrong_reference_is_refused_at_once(monkeypatch, wrong):
    with pytest.raises(StartError, match="is named hf://OWNER/NAME@REVISION"):
        split_reference(wrong)
    monkeypatch.setenv("CAPTIONFILL_BUNDLES", wrong)
    with pytest.raises(StartError, match="CAPTIONFILL_BUNDLES"):
        load_settings()


def refusal(place):
    with pytest.raises(StartError) as caught:
        Inpainter.load(place)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_the_hub_lacks_is_one_line(hub, pushed):
    assert "no such repository" in refusal("hf://me/other")
    assert "no such branch, tag or commit" in refusal("hf://me/tiny@v9")


def test_an_offline_machine_without_cache_is_told(cached):
    assert "HF_HUB_OFFLINE is set" in refusal("hf://me/other")


def test_an_unreachable_hub_is_one_line(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    assert "cannot be downloaded" in refusal("hf://me/tiny")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    assert "pip install 'captionfill[hub]'" in refusal("hf://me/tiny")


def test_a_damaged_download_is_refused(hub, pushed):
    hub.repos["me/tiny"][0][1]["generator.safetensors"] = b"damaged"
    assert "does not fit its digest" in refusal("hf://me/tiny")
