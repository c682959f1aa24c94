"""Metrics of a fixed validation batch during training."""

from collections.abc import Callable

from torch import Tensor

from models.geometry import SIZE, centre
from training.metrics.image_metrics import ImageMetrics


def validation_metrics(
    pictures: Tensor, reals: Tensor, features: Callable[[Tensor], Tensor] | None
) -> dict[str, float]:
    """Measure generated pictures against the real ones.

    Args:
        pictures: uint8 `(N, 3, S, S)`: composites, or whole pictures of an unconditional system.
        reals: uint8 `(N, 3, S, S)`; row *i* is the photograph that composite *i* was made of.
        features: of pictures, `(N, D)`; KID is left out without.

    Returns:
        `kid`, and `hole_psnr` in dB where the two agree outside the hole and so are composites.
    """
    metrics = ImageMetrics.extract(pictures, reals, features)
    kid = metrics.kid
    figures = {"kid": kid.mean} if kid else {}
    if are_composites(pictures, reals):
        figures["hole_psnr"] = float(metrics.hole_psnr.mean())
    return figures


def are_composites(pictures: Tensor, reals: Tensor) -> bool:
    """Return whether the images equal the real ones outside the hole."""
    if pictures.shape[-1] != SIZE:
        return False
    ring = (pictures != reals).sum() - (centre(pictures) != centre(reals)).sum()
    return int(ring) == 0
