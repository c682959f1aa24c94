"""EfficientNet-Lite2, the second network that KID is told by."""

import pytest
import torch

from models.efficientnet import scaled, weights_path
from training.features import load_mobilenet, prepared
from training.second_features import LITE2, load_second_extractor, signed
from training.shards import load_split
from training.words.class_moves import class_captions
from training.words.class_names import imagenet_rows

needs_weights = pytest.mark.skipif(weights_path(LITE2) is None, reason=f"needs {LITE2.package}")


def test_the_stages_of_lite2_are_as_wide_and_deep_as_was_published():
    stages = scaled(1.1, 1.2)
    assert [s.channels for s in stages] == [16, 24, 48, 88, 120, 208, 352]
    assert [s.repeats for s in stages] == [1, 3, 3, 4, 4, 5, 1]


@needs_weights
def test_features_do_not_depend_on_the_batch_and_loading_draws_no_numbers():
    before = torch.get_rng_state()
    extractor = load_second_extractor.__wrapped__("cpu")
    assert torch.equal(torch.get_rng_state(), before)
    pictures = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    together, alone = extractor(pictures), extractor(pictures, batch_size=1)
    assert together.shape == (2, 1280)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


@needs_weights
@pytest.mark.data
def test_both_networks_know_what_they_see(real_data, tmp_path):
    from training.prepare import prepare

    prepare("tiny-imagenet", real_data / "tiny-imagenet-200", tmp_path / "out", limit=100)
    pictures = load_split(tmp_path / "out", "val")
    classes = imagenet_rows(class_captions(pictures))
    outputs = torch.tensor(list(classes.values()))
    own = torch.tensor([list(classes).index(label) for label in pictures.labels])
    lite2, (mobilenet, _) = load_second_extractor().network, load_mobilenet()
    with torch.inference_mode():
        seen = lite2.classifier(lite2(signed(pictures.images)))[:, outputs]
        other = mobilenet(prepared(pictures.images, 160))[:, outputs]
    for scores in (seen, other):
        assert (scores.argmax(1) == own).float().mean() > 0.35
