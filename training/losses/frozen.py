"""Loss terms, random views and a caption scorer on frozen feature networks.

A generator can produce patterns that please a frozen network at one place, scale and brightness and
that people do not see. They do not survive random crops, scales and noise, which are applied to
real and generated images alike for both networks: the differentiable augmentation of Zhao et al.
2020, "Differentiable augmentation for data-efficient GAN training", eq. 4 and 5.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu

from models.discriminators.projected import FrozenFeatures, ProjectedDiscriminator
from models.frozen.caption_scorer import load_frozen_scorer, scorer_input
from models.frozen.efficientnet import extract_features
from models.frozen.scorers import Scorer
from models.geometry import HOLE, centre, random_corners
from training.common import distributed

TEMPERATURE = 0.07  # initial temperature of Radford et al. 2021
# Captions with at least this cosine may describe the same image, and are not used as negatives.
SAME_CAPTION = 0.75
RESOLUTIONS = (64, 80)
HOLE_SCORER = "hole.safetensors"
HOLE_SCORER_DIGEST = "aeaeb975b52cbbf30c483b6e597de2039f67a9cfe2470f54456bfff5cdd727ad"
CROP_SIZE = 28  # side of the random crop of the 32×32 hole
HOLE_RESOLUTION = 64


class View(NamedTuple):
    """One view, the same for a whole batch.

    Attributes:
        corner: first row and column of the window.
        resolution: side the window is resized to.
        noise: standard deviation of the noise that is added, in units of -1 to 1.
    """

    corner: tuple[int, int]
    resolution: int
    noise: float

    def extract(self, discriminator: ProjectedDiscriminator, images: Tensor) -> FrozenFeatures:
        """Extract the features of images `(N, 3, 64, 64)`, each with its own noise."""
        side = discriminator.settings.window
        noise = gaussian_noise(images, side) * self.noise if self.noise else None
        return discriminator.extract_features(images, self.corner, self.resolution, noise)


def gaussian_noise(images: Tensor, side: int) -> Tensor:
    """Draw noise `(N, 3, side, side)` for this rank's images; on the CPU, equal on all devices."""
    noise = distributed.shard_rows(lambda rows: torch.randn(rows, 3, side, side), len(images))
    return noise.to(images.device)


def sample_view(
    discriminator: ProjectedDiscriminator, jitter: int, resolutions: Sequence[int], noise: float
) -> View:
    """Draw a view, the same on every rank; the window moves by up to `jitter` pixels either way."""
    shift = random_corners(1, 2 * jitter, torch.default_generator)[0] - jitter
    row, column = (shift + discriminator.window_start).tolist()
    choice = int(torch.randint(len(resolutions), ()))
    return View((row, column), resolutions[choice], noise)


class HoleView(NamedTuple):
    """One view of the hole, the same for a whole batch.

    Attributes:
        corner: first row and column of the crop in the hole, 0 to 4.
        noise: standard deviation of the noise that is added, in units of -1 to 1.
    """

    corner: tuple[int, int] = ((HOLE - CROP_SIZE) // 2, (HOLE - CROP_SIZE) // 2)
    noise: float = 0.0

    def scorer_input(self, images: Tensor) -> Tensor:
        """Return the scorer's input for images `(N, 3, 64, 64)`, -1 to 1: `(N, 155, 4, 4)`."""
        top, left = self.corner
        crop = centre(images)[:, :, top : top + CROP_SIZE, left : left + CROP_SIZE].float()
        if self.noise:
            crop = crop + gaussian_noise(images, CROP_SIZE) * self.noise
        return scorer_input(crop, extract_features(crop, HOLE_RESOLUTION))


def sample_hole_view(noise: float) -> HoleView:
    """Draw a view of the hole, the same on every rank."""
    row, column = random_corners(1, HOLE - CROP_SIZE, torch.default_generator)[0].tolist()
    return HoleView((row, column), noise)


@lru_cache(maxsize=2)
def load_hole_scorer(device: str) -> Scorer:
    """Load the frozen scorer of how well the hole alone fits a caption.

    The discriminator's scorer (`models.frozen.caption_scorer`) also sees the surroundings, which
    reveal the true caption whatever the fill is. A fill for another caption, or for none, changes
    its score little. This one was trained on real images (`captionfill-train scorer hole`).

    Raises:
        FrozenWeightsError: the file has another digest than this version's.
    """
    place = resources.files("training.losses") / HOLE_SCORER
    return load_frozen_scorer(place, HOLE_SCORER_DIGEST, device)


def has_caption(caption: Tensor) -> Tensor:
    """Return which of the captions `(N, caption_dim)` are not "no caption" (zeros), bool `(N,)`."""
    return caption.abs().sum(1) > 0


def contrastive_loss(image_codes: Tensor, caption_codes: Tensor, caption: Tensor) -> Tensor:
    """Cross-entropy of each image's own caption among those of the batch (InfoNCE), `(N,)`.

    Oord et al. 2018, "Representation learning with contrastive predictive coding", eq. 4.

    Args:
        image_codes: `(N, code)`, of length 1.
        caption_codes: `(N, code)`, of length 1.
        caption: the caption vectors; similar ones are not negatives. Without one the loss is 0.
    """
    logits = image_codes.float() @ caption_codes.float().T / TEMPERATURE
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    captioned = has_caption(caption)
    usable = (caption @ caption.T < SAME_CAPTION) & captioned
    logits = logits.masked_fill(~(usable | own), -1e4)
    loss = cross_entropy(logits, torch.arange(len(logits), device=logits.device), reduction="none")
    return loss * captioned


def mismatched_captions(caption: Tensor) -> tuple[Tensor, Tensor]:
    """Choose another image's caption for each image: by a coin, the most similar or a random one.

    Captions that may describe the same image (`SAME_CAPTION`) are not chosen.

    Args:
        caption: `(N, caption_dim)`, of length 1 or 0; captions of other ranks may be chosen.

    Returns:
        Captions `(N, caption_dim)`, and whether an image has one, bool `(N,)`.
    """
    candidates = distributed.all_rows(caption)
    similarity = caption @ candidates.T
    usable = (similarity < SAME_CAPTION) & has_caption(candidates)
    hardest = similarity.masked_fill(~usable, -2.0).argmax(1)
    chance = distributed.shard_rows(lambda rows: torch.rand(rows, len(candidates)), len(caption))
    random = chance.to(similarity.device).masked_fill(~usable, -1.0).argmax(1)
    coin = distributed.shard_rows(torch.rand, len(caption)).to(similarity.device) < 0.5
    return candidates[torch.where(coin, hardest, random)], usable.any(1)


def random_rows(probability: float, rows: Tensor) -> Tensor:
    """Choose each row of `(N, …)` with a probability, bool `(N,)`."""
    return distributed.shard_rows(torch.rand, len(rows)).to(rows.device) < probability


def own_caption(image_caption: Tensor, fill_caption: Tensor) -> Tensor:
    """Return 1 for each fill with its own image's caption, 0 for another image's, `(N,)`."""
    return (image_caption == fill_caption).all(1).float()


def caption_loss(
    scorer: Scorer, real: Tensor, fake: Tensor, image_caption: Tensor, fill_caption: Tensor
) -> Tensor:
    """Contrastive loss of fills above that of the real images, never below 0, `(N,)`.

    A frozen scorer that rates a fill better than the real image is being fooled, so no more is
    asked for. The target of a fill with another image's caption is the mean over real images.

    Args:
        scorer: encodes the captions.
        real: its codes of the real images, `(N, code)`.
        fake: its codes of the fills, `(N, code)`.
        image_caption: `(N, caption_dim)`.
        fill_caption: `(N, caption_dim)`.
    """
    captioned = has_caption(image_caption).float()
    with torch.no_grad():
        reached = contrastive_loss(real, scorer.encode_captions(image_caption), image_caption)
        mean = reached.sum() / captioned.sum().clamp_min(1)
    target = torch.where((image_caption == fill_caption).all(1), reached, mean)
    loss = contrastive_loss(fake, scorer.encode_captions(fill_caption), fill_caption)
    return relu(loss - target) * captioned


def hinge_loss(scores: list[Tensor], sign: float) -> Tensor:
    """Return `max(0, 1 + sign · score)`, the mean over each head's positions, then heads, `(N,)`.

    Lim & Ye 2017, "Geometric GAN", eq. 3.
    """
    return torch.stack([relu(1 + sign * one.float()).mean(1) for one in scores]).mean(0)


def mean_score(scores: list[Tensor]) -> Tensor:
    """Return the mean score over each head's positions, then heads, `(N,)`."""
    return torch.stack([one.float().mean(1) for one in scores]).mean(0)


def feature_distance(real: FrozenFeatures, fake: FrozenFeatures) -> Tensor:
    """Mean squared distance of pretrained features, the mean over stages, `(N,)`."""
    distances = [
        (f - r).square().mean((1, 2, 3))  # flattening would copy channels-last tensors
        for r, f in zip(real.stages, fake.stages, strict=True)
    ]
    return torch.stack(distances).mean(0)
