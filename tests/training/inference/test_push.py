"""From a bundle to the Hugging Face Hub and back, against a hub on this machine."""

import shutil

import pytest
from huggingface_hub import ModelCard

from captionfill.hub import bundle_folder
from models.runtime.bundle import load_bundle
from models.runtime.bundle_files import BundleError
from tests.helpers.fake_hub import fake_hub
from training.common.errors import HubError
from training.inference.push import push


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with fake_hub(monkeypatch, tmp_path / "cache") as running:
        yield running


@pytest.fixture
def bundle(scored_bundle, tmp_path):
    return shutil.copytree(scored_bundle, tmp_path / "bundle")


FILES = {
    "README.md", "config.json", "generator.onnx", "generator.safetensors", "reference.safetensors",
}  # fmt: skip


def names(hub):
    return set(hub.files("me/mine")[1]) - {".gitattributes"}


def test_a_pushed_bundle_is_loaded_by_its_reference(hub, bundle):
    pushed = push(bundle, "me/mine")
    assert pushed.reference == f"hf://me/mine@{hub.repos['me/mine'][-1][0]}"
    assert load_bundle(bundle_folder(pushed.reference)).digest == load_bundle(bundle).digest


def test_one_push_is_one_commit(hub, bundle):
    push(bundle, "me/mine")
    assert len(hub.repos["me/mine"]) == 2  # the empty repository, the bundle
    assert names(hub) == {*FILES, "scorer.safetensors", "scorer.onnx"}


def test_a_later_push_removes_what_is_stale(hub, bundle, tiny_bundle):
    (bundle / "grid.png").write_bytes(b"a grid")
    push(bundle, "me/mine")
    hub.files("me/mine")[1]["LICENSE"] = b"mine"
    push(tiny_bundle, "me/mine")
    assert names(hub) == {*FILES, "LICENSE"}


def test_the_training_state_goes_only_on_request(hub, bundle):
    (bundle / "training-state.safetensors").write_bytes(b"a state")
    push(bundle, "me/mine")
    assert "training-state.safetensors" not in names(hub)
    push(bundle, "me/mine", training_state=True)
    assert "training-state.safetensors" in names(hub)


def test_an_older_card_gets_metadata(hub, bundle):
    assert (bundle / "README.md").read_text() == "# scored"
    push(bundle, "me/mine")
    card = ModelCard(hub.files("me/mine")[1]["README.md"].decode(), ignore_metadata_errors=False)
    assert card.data.to_dict()["library_name"] == "captionfill" and card.text.strip() == "# scored"
    assert (bundle / "README.md").read_text() == "# scored"


def test_a_card_with_metadata_stays(hub, bundle):
    text = "---\nlicense: mit\n---\n\n# mine\n"
    (bundle / "README.md").write_text(text)
    push(bundle, "me/mine")
    assert hub.files("me/mine")[1]["README.md"].decode() == text


def test_metadata_that_are_no_yaml_are_refused(hub, bundle):
    (bundle / "README.md").write_text("---\n- a\n- list\n---\n")
    with pytest.raises(HubError, match=r"README\.md: metadata"):
        push(bundle, "me/mine")
    assert hub.requests == []


def test_a_damaged_bundle_is_not_uploaded(hub, bundle):
    (bundle / "generator.safetensors").write_bytes(b"damaged")
    with pytest.raises(BundleError):
        push(bundle, "me/mine")
    assert hub.requests == []


@pytest.mark.parametrize("repo", ["mine", "hf://me/mine", "me/mine/more", "../mine/"])
def test_a_wrong_name_is_refused_before_the_network(hub, bundle, repo):
    with pytest.raises(HubError, match="a repository is named OWNER/NAME"):
        push(bundle, repo)
    assert hub.requests == []


def test_a_refusal_of_the_hub_is_one_line(hub, bundle, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="me/mine: the bundle is not uploaded: ") as caught:
        push(bundle, "me/mine")
    assert "\n" not in str(caught.value) and hub.repos == {}


def test_the_command_prints_the_reference(hub, bundle, capsys):
    from training.cli.main import app

    app(["push", str(bundle), "me/mine", "--private"], standalone_mode=False)
    assert capsys.readouterr().out.strip() == f"hf://me/mine@{hub.repos['me/mine'][-1][0]}"
