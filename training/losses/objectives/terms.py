"""Per-sample terms that several objectives use."""

import torch
from torch import Tensor

from models.discriminator_outputs import Logits
from training.common import distributed
from training.losses.objectives.base import Discriminator, DiscriminatorInput, Terms


def paired_terms(
    discriminator: Discriminator,
    real: DiscriminatorInput,
    fake: DiscriminatorInput,
    output: Logits,
    *,
    matching: float,
    l2: float,
) -> Terms:
    """Return the generator's weighted terms that compare each fill with its real image.

    Args:
        discriminator: gives the real images' features.
        real: the images.
        fake: their composites.
        output: the discriminator's for the composites.
        matching: weight of feature matching; 0 for no such term.
        l2: weight of the mean squared error over the hole; 0 for no such term.
    """
    terms: Terms = {}
    if matching:
        with torch.no_grad():
            target = discriminator(real.images, real.caption).features
        terms["feature_matching"] = feature_matching(target, output.features) * matching
    if l2:
        terms["l2"] = hole_l2(real, fake) * l2
    return terms


def feature_matching(real: tuple[Tensor, ...], fake: tuple[Tensor, ...]) -> Tensor:
    """Squared distance between discriminator features of each image and its composite.

    Salimans et al. 2016, "Improved Techniques for Training GANs", §3.1, in the paired form of
    Larsen et al. 2016 (VAE/GAN, eq. 7).

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
    """Return for each image the caption of its neighbour (Reed et al. 2016, Algorithm 1, ŝ).

    Args:
        caption: `(N, caption_dim)`. Batches are shuffled, so the neighbour is random; it may be
            on another rank.
    """
    return distributed.shard_rows(
        lambda _: distributed.all_rows(caption).roll(1, dims=0), len(caption)
    )


def check_mismatch(mismatch: float, discriminator: Discriminator) -> None:
    """Refuse a mismatch term for a discriminator that does not read captions.

    Raises:
        ValueError: the reason.
    """
    if mismatch and not hasattr(discriminator, "score_features"):
        raise ValueError(
            "objective.settings.mismatch needs a discriminator that reads captions: set it to 0"
        )
