"""What is measured of a generator's fills, picture by picture, so that runs can be paired."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from training.evaluation.dataset import EvaluationSet
from training.experiments.comparison.filling import Filler
from training.metrics.confidence import bootstrap_interval
from training.metrics.kid import Kid, kid
from training.metrics.mobilenet import feature_distance
from training.metrics.pixels import hole_psnr, hole_ssim, l1_levels
from training.metrics.seam import seam_gradient, square_gradient
from training.monitors.low_contrast import pixel_std

# Figure -> whether more of it is better; None where it should be 1, as in the real pictures.
FIGURES: dict[str, bool | None] = {
    "hole_psnr": True,
    "l1": False,
    "ssim": True,
    "feature_distance": False,
    "seam_ratio": None,
    "square_ratio": None,
    "contrast": None,
    "draws_differ_levels": True,
    "draws_differ_features": True,
}
Extract = Callable[[Tensor], Tensor]
"""Pictures uint8 `(N, 3, H, W)` to features `(N, D)`."""


@dataclass(frozen=True)
class Measured:
    """A generator's first draw for N pictures, and its figures.

    Attributes:
        fills: uint8 `(N, 3, 32, 32)`.
        figures: name -> float64 `(N,)`, one a picture.
        kid: over all pictures.
    """

    fills: Tensor
    figures: Mapping[str, Tensor]
    kid: Kid

    def summary(self, seed: int) -> dict[str, Any]:
        """Return each figure's mean with a 95% bootstrap interval, and KID."""
        told = {name: asdict(bootstrap_interval(v, seed)) for name, v in self.figures.items()}
        return told | {"kid": asdict(self.kid)}

    def against(self, base: "Measured", seed: int) -> dict[str, Any]:
        """Return each figure's mean difference to another's, paired by picture, with interval."""
        return {
            name: asdict(bootstrap_interval(values - base.figures[name], seed))
            for name, values in self.figures.items()
        }


def measure(
    fill: Filler, pictures: EvaluationSet, extract: Extract, reals: Tensor, draws: int, seed: int
) -> Measured:
    """Fill the holes of some pictures `draws` times, and measure.

    Args:
        fill: the generator.
        pictures: N of them, each with its true caption.
        extract: pictures to features.
        reals: features `(N, D)` of the real pictures.
        draws: with different noise, 2 at least; all figures but how they differ are of the first.
        seed: draw *i* has noise of seed + *i*; also of KID's subsets.
    """
    fills = [fill(pictures.pixels, pictures.vectors, seed + i) for i in range(draws)]
    features = [extract(pictures.composites(drawn)) for drawn in fills]
    real, first = pictures.centres, pictures.composites(fills[0])
    figures = {
        "hole_psnr": hole_psnr(fills[0], real),
        "l1": l1_levels(fills[0], real),
        "ssim": hole_ssim(fills[0], real),
        "feature_distance": feature_distance(features[0], reals),
        "seam_ratio": relative(seam_gradient, first, pictures.pixels),
        "square_ratio": relative(square_gradient, first, pictures.pixels),
        "contrast": relative(pixel_std, fills[0], real),
        "draws_differ_levels": pairwise(l1_levels, fills),
        "draws_differ_features": pairwise(feature_distance, features),
    }
    return Measured(fills[0], figures, kid(features[0], reals, seed))


def relative(figure: Callable[[Tensor], float], made: Tensor, real: Tensor) -> Tensor:
    """Return a figure of each picture alone, over its mean in the real ones, `(N,)`.

    The mean of what is returned is the ratio of the two means.
    """
    each = torch.tensor([figure(one) for one in made.split(1)], dtype=torch.float64)
    return each / max(figure(real), 1e-6)


def pairwise(distance: Callable[[Tensor, Tensor], Tensor], draws: list[Tensor]) -> Tensor:
    """Return the mean distance between two draws of each picture, `(N,)`."""
    pairs = [distance(one, other) for one, other in combinations(draws, 2)]
    return torch.stack(pairs).mean(0)
