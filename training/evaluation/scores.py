"""From the fills of every method to the rows of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from training.evaluation.dataset import EvaluationSet
from training.evaluation.methods import TRUE
from training.evaluation.table import CaptionEffect, TableRow
from training.metrics.images import (
    KID_LEAST,
    Interval,
    Kid,
    bootstrap_interval,
    hole_psnr,
    hole_ssim,
    kid,
    l1_levels,
    seam_ratio,
)
from training.metrics.mobilenet import feature_distance

REAL = "real pictures"


@dataclass(frozen=True)
class Scores:
    """What was made of the pictures, and the figures it comes to.

    Attributes:
        pictures: N of them.
        fills: method -> uint8 `(N, 3, 32, 32)`.
        features: method, and `REAL`, -> float `(N, D)` of the composites; empty where there is
            no extractor.
        seed: of the subsets of KID and of the resamples of the intervals.
    """

    pictures: EvaluationSet
    fills: Mapping[str, Tensor]
    features: Mapping[str, Tensor]
    seed: int

    def row(self, method: str, milliseconds: float) -> TableRow:
        """The row of a method that takes `milliseconds` a picture."""
        fills, pictures = self.fills[method], self.pictures
        return TableRow(
            method=method,
            hole_psnr=float(hole_psnr(fills, pictures.centres).mean()),
            l1=float(l1_levels(fills, pictures.centres).mean()),
            ssim=float(hole_ssim(fills, pictures.centres).mean()),
            kid=self.kid(method),
            seam_ratio=seam_ratio(pictures.composites(fills), pictures.pixels),
            milliseconds=milliseconds,
        )

    def real_row(self) -> TableRow:
        """The real pictures, where a column makes sense of them: KID's floor and a seam of 1."""
        ratio = seam_ratio(self.pictures.pixels, self.pictures.pixels)
        return TableRow(
            REAL, None, None, None, kid=self.kid(REAL), seam_ratio=ratio, milliseconds=None
        )

    def kid(self, method: str) -> Kid | None:
        """KID of a method; `None` without features or with too few pictures."""
        if not self.features or len(self.pictures) < KID_LEAST:
            return None
        return kid(self.features[method], self.features[REAL], self.seed)

    def caption_effect(self, other: str) -> CaptionEffect:
        """The true caption against the method `other`, paired by picture, the noise the same."""
        return CaptionEffect(
            against=other,
            fill_moves=self.distance_between(self.fills[TRUE], self.fills[other]),
            l1_gain=self._gain(self._l1(other) - self._l1(TRUE)),
            feature_gain=(
                self._gain(self._feature_distance(other) - self._feature_distance(TRUE))
                if self.features
                else None
            ),
        )

    @staticmethod
    def distance_between(first: Tensor, second: Tensor) -> float:
        """Mean absolute difference in 8-bit levels between two sets of fills."""
        return float(l1_levels(first, second).mean())

    def _gain(self, differences: Tensor) -> Interval:
        return bootstrap_interval(differences, self.seed)

    def _l1(self, method: str) -> Tensor:
        return l1_levels(self.fills[method], self.pictures.centres)

    def _feature_distance(self, method: str) -> Tensor:
        return feature_distance(self.features[method], self.features[REAL])
