"""Per-sample terms that several objectives share."""

import torch
from torch import Tensor, nn

from models.discriminator_outputs import Logits
from training.common import distributed
from training.losses.objectives.base import DiscriminatorInput, Terms


def paired_terms(
    discriminator: nn.Module,
    real: DiscriminatorInput,
    fake: DiscriminatorInput,
    judged: Logits,
    *,
    matching: float,
    l2: float,
) -> Terms:
    """Return what holds a fill to its own real picture, as weighted, for the generator.

    Args:
        discriminator: looked through for the real picture's features.
        real: the pictures.
        fake: their composites.
        judged: what the discriminator said of the composites.
        matching: weight of feature matching; 0 leaves it out.
        l2: weight of the mean squared error over the hole; 0 leaves it out.
    """
    terms: Terms = {}
    if matching:
        with torch.no_grad():
            target = discriminator(real.images, real.caption).features
        terms["feature_matching"] = feature_matching(target, judged.features) * matching
    if l2:
        terms["l2"] = hole_l2(real, fake) * l2
    return terms


def feature_matching(real: tuple[Tensor, ...], fake: tuple[Tensor, ...]) -> Tensor:
    """Squared distance between discriminator features of each picture and its fill.

    Salimans et al. 2016, "Improved Techniques for Training GANs", §3.1, in the paired form of
    Larsen et al. 2016 (VAE/GAN, eq. 7): an inpainted picture has its own real one to match.

    Args:
        real: levels of `(N, C, H, W)`; no gradient flows into them.
        fake: the same levels of the composites.

    Returns:
        `(N,)`, the mean over each level, averaged over levels.
    """
    distances = [
        (f.float() - r.detach().float()).square().flatten(1).mean(1)
        for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(distances).mean(0)


def hole_l2(real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
    """Mean squared error over the hole alone (Pathak et al. 2016, eq. 1), `(N,)`."""
    return hole_mean((fake.images.float() - real.images.float()).square(), real.mask)


def hole_l1(real: DiscriminatorInput, fake: DiscriminatorInput) -> Tensor:
    """Mean absolute error over the hole alone, `(N,)`."""
    return hole_mean((fake.images.float() - real.images.float()).abs(), real.mask)


def hole_mean(error: Tensor, mask: Tensor) -> Tensor:
    """Mean of `(N, C, H, W)` over the hole `(N, 1, H, W)`, in all channels, `(N,)`."""
    return (error * mask).flatten(1).sum(1) / (error.shape[1] * mask.flatten(1).sum(1))


def neighbour_captions(caption: Tensor) -> Tensor:
    """Give every picture its neighbour's caption (Reed et al. 2016, Algorithm 1, ŝ).

    Args:
        caption: `(N, caption_dim)`; batches are shuffled, so a neighbour is anybody. It may be
            another rank's.
    """
    return distributed.shard_rows(
        lambda _: distributed.all_rows(caption).roll(1, dims=0), len(caption)
    )


def check_mismatch(mismatch: float, discriminator: nn.Module) -> None:
    """Refuse to judge real pictures under wrong captions where captions are not read.

    Raises:
        ValueError: the reason.
    """
    if mismatch and not hasattr(discriminator, "score_features"):
        raise ValueError(
            "objective.settings.mismatch shows wrong captions, and this discriminator reads none: "
            "set it to 0"
        )
