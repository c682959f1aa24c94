"""The kinds of caption scorers: architecture, and input extracted from images.

- `plain`: shipped in bundles, to rank fills.
- `steering` (`models.frozen.caption_scorer`) and `hole` (`training.losses.frozen`):
  frozen, to train generators against.
- `judge`: for evaluations alone, on a network that nothing is trained against.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.discriminators.projected import ProjectedDiscriminator, ProjectedSettings
from models.frozen.caption_scorer import build_caption_scorer, scorer_input
from models.frozen.scorers import Scorer, ScorerSettings, plain_scorer
from models.geometry import centre, to_uint8
from training.losses.frozen import RESOLUTIONS, HoleView, View, sample_hole_view, sample_view
from training.metrics.mobilenet import require_extractor

JITTER = 4  # largest shift of a window in pixels, either way
MAX_NOISE = 0.1  # standard deviation, in units of -1 to 1
CHUNK = 32  # images a pass of a frozen network: more do not fit a core's cache
JUDGE_FEATURES, JUDGE_WIDTH = 1280, 512


@dataclass(frozen=True)
class ScorerKind:
    """A kind of scorer.

    Attributes:
        build: builds one for a length of caption vectors.
        extract: the scorer's input from images `(N, 3, 64, 64)`, -1 to 1.
        augment: the same with random augmentation, for training; None for no augmentation.
        cached: extract the input of each image once, without augmentation, before training; for
            slow networks.
    """

    build: Callable[[int], Scorer]
    extract: Callable[[Tensor], Tensor]
    augment: Callable[[Tensor], Tensor] | None = None
    cached: bool = False


def extract_centre(images: Tensor) -> Tensor:
    """Crop the centres; channels-last makes the convolutions 1.4 times as fast on a CPU."""
    return centre(images).contiguous(memory_format=torch.channels_last)


def extract_window(images: Tensor) -> Tensor:
    """Extract the central window's scorer input, `(N, 155, 5, 5)`."""
    network = ProjectedDiscriminator(ProjectedSettings())
    start, resolution = network.window_start, network.settings.resolution
    return extract_view(network, View((start, start), resolution, 0), images)


def extract_random_window(images: Tensor) -> Tensor:
    """Extract a random view's scorer input, with up to twice the noise of fills' views."""
    noise = MAX_NOISE * float(torch.rand(()))
    network = ProjectedDiscriminator(ProjectedSettings())
    return extract_view(network, sample_view(network, JITTER, RESOLUTIONS, noise), images)


def extract_view(network: ProjectedDiscriminator, view: View, images: Tensor) -> Tensor:
    """Extract the scorer input of a view of images `(N, 3, 64, 64)`."""
    with torch.no_grad():
        chunks = [view.extract(network, chunk) for chunk in torch.split(images, CHUNK)]
    return torch.cat([scorer_input(one.window, one.stages) for one in chunks])


def extract_hole(images: Tensor) -> Tensor:
    """Extract the hole's scorer input, `(N, 155, 4, 4)`."""
    return extract_hole_view(images, HoleView())


def extract_random_hole(images: Tensor) -> Tensor:
    """Extract a random hole view's scorer input."""
    return extract_hole_view(images, sample_hole_view(MAX_NOISE * float(torch.rand(()))))


def extract_hole_view(images: Tensor, view: HoleView) -> Tensor:
    """Extract the scorer input of a hole view of images `(N, 3, 64, 64)`."""
    with torch.no_grad():
        return torch.cat([view.scorer_input(chunk) for chunk in torch.split(images, CHUNK)])


def extract_pooled(images: Tensor) -> Tensor:
    """Extract the centres' pooled MobileNetV2 features, as for KID, `(N, 1280)`."""
    return require_extractor()(to_uint8(centre(images))).clone()


def build_judge(caption_dim: int) -> Scorer:
    """Build the judge: a small perceptron on pooled features."""
    layers = [nn.Linear(JUDGE_FEATURES, JUDGE_WIDTH), nn.LeakyReLU(0.2), nn.Dropout(0.2)]
    return Scorer(nn.Sequential(*layers), JUDGE_WIDTH, caption_dim, JUDGE_WIDTH // 4)


SCORER_KINDS = {
    "plain": ScorerKind(lambda dim: plain_scorer(ScorerSettings(dim)), extract_centre),
    "steering": ScorerKind(build_caption_scorer, extract_window, extract_random_window),
    "hole": ScorerKind(build_caption_scorer, extract_hole, extract_random_hole),
    "judge": ScorerKind(build_judge, extract_pooled, cached=True),
}
