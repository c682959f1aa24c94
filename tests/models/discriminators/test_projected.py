"""The discriminator on frozen features."""

import pytest
import torch

from models.discriminators import DISCRIMINATORS
from models.discriminators.projected import CaptionLengthError
from models.frozen import efficientnet
from models.frozen.efficientnet import FrozenWeightsError, load_feature_network

SETTINGS = {"caption_dim": 12, "width": 4, "patch_width": 4, "resolution": 48}


@pytest.fixture(scope="module")
def discriminator():
    torch.manual_seed(0)
    return DISCRIMINATORS["projected"](SETTINGS)


@pytest.fixture
def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_uncaptioned_image_has_a_score_that_captions_change(discriminator, images):
    features = discriminator.extract_features(images)
    none, some = discriminator.scores(features, torch.zeros(2, 12), torch.ones(2, 12))
    assert all(
        a.shape == b.shape and not torch.equal(a, b) for a, b in zip(none, some, strict=True)
    )
    assert discriminator(images, torch.zeros(2, 12)).score.shape == (2,)


def test_pretrained_weights_stay_frozen_and_out_of_state(discriminator, images):
    images.requires_grad_(True)
    discriminator(images, torch.ones(2, 12)).score.sum().backward()
    assert images.grad.abs().sum() > 0
    assert not any("stages" in name for name in discriminator.state_dict())
    assert not any(p.requires_grad for p in load_feature_network("cpu").parameters())


def test_a_look_sees_its_window_alone(discriminator, images):
    other = images.clone()
    other[:, :, :10] = 0
    there, moved = (
        [discriminator.extract_features(p, corner).stages for p in (images, other)]
        for corner in ((12, 8), (8, 8))
    )
    assert torch.equal(there[0][0], there[1][0])
    assert not torch.equal(moved[0][0], moved[1][0])


def test_caption_head_uses_a_caption_only_when_given(images):
    torch.manual_seed(0)
    discriminator = DISCRIMINATORS["projected"](
        {"width": 4, "patch_width": 4, "caption_head": True}
    )
    features = discriminator.extract_features(images)
    assert torch.allclose(features.code.norm(dim=1), torch.ones(2))
    some, other, none = (
        discriminator.scores(features, caption)[0][-1]
        for caption in (torch.ones(2, 384), -torch.ones(2, 384), torch.zeros(2, 384))
    )
    assert some.shape == (2, 1)
    assert not torch.equal(some, other)
    assert not torch.equal(some, none)
    assert not any("scorer" in name for name in discriminator.state_dict())


def test_meanings_of_captions_of_another_length_are_refused():
    with pytest.raises(CaptionLengthError, match="384 numbers; these have 12"):
        DISCRIMINATORS["projected"]({**SETTINGS, "caption_head": True})


def test_missing_weights_are_one_clear_line(monkeypatch):
    monkeypatch.setattr(efficientnet, "weights_path", lambda weights: None)
    with pytest.raises(FrozenWeightsError, match=efficientnet.PACKAGE):
        load_feature_network.__wrapped__("cpu")


def test_photo_features_predict_class_whatever_the_crop():
    """Folded wrongly, the features would hold nothing: two crops of one picture must be near."""
    coarse = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(3)) * 2 - 1
    large = torch.nn.functional.interpolate(coarse, size=(72, 72), mode="bicubic")
    one, other = (
        torch.nn.functional.normalize(
            load_feature_network("cpu")(crop.clamp(-1, 1))[-1].mean((2, 3))
        )
        for crop in (large[..., :64, :64], large[..., 8:, 8:])
    )
    assert torch.equal((one @ other.T).argmax(1), torch.arange(8))
