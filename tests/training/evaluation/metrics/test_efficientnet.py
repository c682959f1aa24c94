"""EfficientNet-Lite2, the second network that KID is told by."""

from io import BytesIO
from itertools import islice

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from models.frozen.efficientnet import scale_stages, weights_path
from training.data.sources.base import Example
from training.data.sources.tiny_imagenet import read_tiny_imagenet
from training.evaluation.benchmarks.class_words import imagenet_rows
from training.evaluation.metrics.efficientnet import (
    LITE2,
    load_efficientnet_extractor,
    normalize_signed,
)
from training.evaluation.metrics.mobilenet import load_mobilenet, normalize

needs_weights = pytest.mark.skipif(weights_path(LITE2) is None, reason=f"needs {LITE2.package}")


def test_lite2_stages_have_published_width_and_depth():
    stages = scale_stages(1.1, 1.2)
    assert [s.channels for s in stages] == [16, 24, 48, 88, 120, 208, 352]
    assert [s.repeats for s in stages] == [1, 3, 3, 4, 4, 5, 1]


@needs_weights
def test_features_are_batch_independent_and_loading_is_deterministic():
    before = torch.get_rng_state()
    extractor = load_efficientnet_extractor.__wrapped__("cpu")
    assert torch.equal(torch.get_rng_state(), before)
    pictures = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    together, alone = extractor(pictures), extractor(pictures, batch_size=1)
    assert together.shape == (2, 1280)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@needs_weights
@pytest.mark.data
def test_both_networks_know_what_they_see(real_data):
    read = read_tiny_imagenet(real_data / "tiny-imagenet-200")
    known = (e for e in read if isinstance(e, Example))
    some = [(e.label, e.captions, e.read()) for e in islice(known, 0, 12000, 240)]
    pictures = torch.stack([pil_to_tensor(Image.open(BytesIO(p)).convert("RGB")) for *_, p in some])
    classes = imagenet_rows({label: captions for label, captions, _ in some})
    outputs = torch.tensor(list(classes.values()))
    own = torch.tensor([list(classes).index(label) for label, *_ in some])
    lite2, (mobilenet, _) = load_efficientnet_extractor().network, load_mobilenet()
    with torch.inference_mode():
        seen = lite2.classifier(lite2(normalize_signed(pictures)))[:, outputs]
        other = mobilenet(normalize(pictures, 160))[:, outputs]
    for scores in (seen, other):
        assert (scores.argmax(1) == own).float().mean() > 0.5  # by chance 1 in 48
