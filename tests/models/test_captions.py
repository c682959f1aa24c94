"""The sentence encoder from its wheel."""

import pytest
import torch

from models.captions import CaptionEncoder, EncoderError


@pytest.fixture(scope="module")
def encoder():
    return CaptionEncoder.load()


def test_vectors_are_unit_length_and_near_for_synonyms(encoder):
    dog, puppy, car = encoder.encode(["a dog runs", "a puppy is running", "a red car"])
    assert torch.allclose(dog.norm(), torch.tensor(1.0), atol=1e-5)
    assert dog @ puppy > dog @ car + 0.2


def test_a_vector_hardly_depends_on_its_batch(encoder):
    together = encoder.encode(["a dog", "a very long sentence about several people on a beach"])
    assert torch.allclose(together[:1], encoder.encode(["a dog"]), atol=1e-5)


def test_no_caption_is_the_zero_vector(encoder):
    assert encoder.no_caption(2).shape == (2, encoder.dimension)
    assert not encoder.no_caption(2).any()


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
