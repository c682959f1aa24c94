"""The kinds of caption scorers: architecture, input extracted from images, and weights' files.

- `plain`: shipped in bundles, to rank fills.
- `steering` (`models.frozen.caption_scorer`) and `hole` (`training.losses.frozen`):
  frozen, to train generators against.
- `judge`: for evaluations alone, on a network that nothing is trained against.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from captionfill.output_files import write_atomically
from models.discriminators.projected import ProjectedDiscriminator, ProjectedSettings
from models.frozen.caption_scorer import build_caption_scorer, scorer_input
from models.frozen.scorers import Scorer, ScorerSettings, plain_scorer
from models.geometry import centre, to_uint8
from models.runtime.bundle import halve
from training.common.errors import RunError
from training.common.output_files import write_error
from training.evaluation.metrics.mobilenet import require_extractor
from training.losses.frozen import RESOLUTIONS, HoleView, View, sample_hole_view, sample_view

JITTER = 4  # largest shift of a window in pixels, either way
MAX_NOISE = 0.1  # standard deviation, in units of -1 to 1
CHUNK = 32  # images a pass of a frozen network: more do not fit a core's cache
JUDGE_FEATURES, JUDGE_WIDTH = 1280, 512

Extract = Callable[[Tensor], Tensor]
"""Images, float `(N, 3, 64, 64)`, -1 to 1, to the input of a scorer."""


@dataclass(frozen=True)
class ScorerKind:
    """A kind of scorer.

    Attributes:
        build: builds one for a length of caption vectors.
        extract: the scorer's input from images.
        augment: the same with random augmentation, for training; None for no augmentation.
        cached: extract the input of each image once, without augmentation, before training; for
            slow networks.
    """

    build: Callable[[int], Scorer]
    extract: Extract
    augment: Extract | None = None
    cached: bool = False


def extract_centre(images: Tensor) -> Tensor:
    """Crop the centres; channels-last makes the convolutions 1.4 times as fast on a CPU."""
    return centre(images).contiguous(memory_format=torch.channels_last)


def extract_window(images: Tensor) -> Tensor:
    """Extract the central window's scorer input, `(N, 155, 5, 5)`."""
    network = ProjectedDiscriminator(ProjectedSettings())
    start = network.window_start
    return extract_view(network, View((start, start), network.settings.resolution, 0), images)


def extract_random_window(images: Tensor) -> Tensor:
    """Extract a random view's scorer input, with up to twice the noise of fills' views."""
    noise = random_noise()
    network = ProjectedDiscriminator(ProjectedSettings())
    return extract_view(network, sample_view(network, JITTER, RESOLUTIONS, noise), images)


def extract_view(network: ProjectedDiscriminator, view: View, images: Tensor) -> Tensor:
    """Extract the scorer input of a view of images."""
    with torch.no_grad():
        chunks = [view.extract(network, chunk) for chunk in torch.split(images, CHUNK)]
    return torch.cat([scorer_input(one.window, one.stages) for one in chunks])


def extract_hole(images: Tensor, view: HoleView = HoleView()) -> Tensor:  # noqa: B008 - immutable
    """Extract the hole's scorer input, `(N, 155, 4, 4)`."""
    with torch.no_grad():
        return torch.cat([view.scorer_input(chunk) for chunk in torch.split(images, CHUNK)])


def extract_random_hole(images: Tensor) -> Tensor:
    """Extract a random hole view's scorer input."""
    return extract_hole(images, sample_hole_view(random_noise()))


def random_noise() -> float:
    """Draw the standard deviation of a view's noise."""
    return MAX_NOISE * float(torch.rand(()))


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


def save_scorer(scorer: nn.Module, path: Path) -> None:
    """Write the weights as float16.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        halved = {name: halve(value) for name, value in scorer.state_dict().items()}
        write_atomically(path, save(halved))
    except OSError as error:
        raise write_error(path, error) from error


def load_scorer(kind: ScorerKind, path: Path, caption_dim: int) -> Scorer:
    """Read a scorer's weights as float32, ready for inference.

    Raises:
        RunError: there is no such file, or it is of another kind.
    """
    scorer = kind.build(caption_dim)
    try:
        scorer.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise RunError(f"no such scorer at {path}: {str(error).splitlines()[0]}") from error
    return scorer.eval().requires_grad_(False)
