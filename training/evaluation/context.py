"""What all benchmarks of one set share: the bundle, its results, the networks that measure it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from captionfill.inpainter import Inpainter
from models.runtime.bundle import Bundle
from training.evaluation.dataset import EvaluationSet, evenly_spaced
from training.evaluation.methods import (
    NO_CAPTION,
    TRUE_CAPTION,
    WRONG_CAPTION,
    FillFunction,
    Progress,
    fill_all,
    with_captions,
)
from training.evaluation.results import MethodResults
from training.metrics.mobilenet import PACKAGE, FeatureExtractor
from training.scorers.judge import Judge

NUM_SAMPLES = 16
MAX_SAMPLED_PICTURES = 400  # of a set, filled that often; the paired differences vary little
NO_FEATURES = f"needs the package {PACKAGE}"


@dataclass(frozen=True)
class EvalContext:
    """A bundle on one set of pictures.

    Attributes:
        results: what every method made of the set.
        inpainter: fills, and ranks the fills where the bundle has a scorer.
        comparison_bundles: other bundles, by the name of their method.
        extractor: MobileNetV2's features; `None` without its package.
        judge: the judging scorer; `None` where there is none for these captions.
        batch_size: pictures at a time.
        progress: called after each step of a stage.
    """

    results: MethodResults
    inpainter: Inpainter
    comparison_bundles: Mapping[str, Inpainter]
    extractor: FeatureExtractor | None
    judge: Judge | None
    batch_size: int
    progress: Progress

    @property
    def name(self) -> str:
        """Source and split of the pictures."""
        return self.results.name

    @property
    def pictures(self) -> EvaluationSet:
        """All pictures of the set."""
        return self.results.pictures

    @property
    def seed(self) -> int:
        """Seed of noise, subsets and resamples."""
        return self.results.seed

    @property
    def sampled_rows(self) -> Tensor:
        """Rows of the pictures that are filled `NUM_SAMPLES` times."""
        return evenly_spaced(len(self.pictures), MAX_SAMPLED_PICTURES)

    @property
    def bundle(self) -> Bundle:
        """The bundle of the inpainter."""
        return self.inpainter.engine.bundle

    @property
    def device(self) -> str:
        """Where the networks run."""
        return str(next(self.bundle.generator.parameters()).device)

    def report_progress(self, stage: str, done: int, total: int | None) -> None:
        """Report the progress of a stage of this set."""
        self.progress(f"{self.results.prepared.manifest.source}: {stage}", done, total)

    def fill_with_captions(self, stage: str, captions: Tensor, seed: int) -> Tensor:
        """Fill every picture with noise of seed + i for picture *i*."""
        method = with_captions(self.inpainter.fill_batch, self.pictures, captions, seed)
        return fill_all(stage, method, len(self.pictures), self.batch_size, self.report_progress)

    def fill_without_noise(self, inpainter: Inpainter, stage: str) -> Tensor:
        """Fill every picture at temperature 0, uint8 `(N, 3, 32, 32)`."""

        def fill(pixels: Tensor, captions: Tensor, seeds: Sequence[int]) -> Tensor:
            return inpainter.fill_batch(pixels, captions, seeds, [0.0] * len(seeds))

        method = with_captions(fill, self.pictures, self.pictures.vectors, self.seed)
        return fill_all(stage, method, len(self.pictures), self.batch_size, self.report_progress)

    def draw_samples(
        self, fill: FillFunction, stage: str, first: Tensor, count: int = NUM_SAMPLES
    ) -> Tensor:
        """Fill the pictures of `sampled_rows` many times with their true captions.

        Sample *k* of picture *i* has noise of seed + k × N + i, so the first is the table's.

        Args:
            fill: of the bundle.
            stage: name of the stage.
            first: the first samples, uint8 `(k, M, 3, 32, 32)`, which exist already.
            count: samples of a picture, the first ones included.

        Returns:
            uint8 `(count, M, 3, 32, 32)`.
        """
        rows, samples = self.sampled_rows, [*first]
        selected = self.pictures.gather(rows)
        for number in range(len(first), count):
            start = self.seed + number * len(self.pictures)
            seeds = (start + rows).tolist()
            parts = torch.split(torch.arange(len(rows)), self.batch_size)
            fills = [
                fill(selected.pixels[p], selected.vectors[p], seeds[int(p[0]) : int(p[-1]) + 1])
                for p in parts
            ]
            samples.append(torch.cat(fills))
            self.report_progress(stage, number + 1, count)
        return torch.stack(samples)


@dataclass(frozen=True)
class CentreFeatures:
    """Features of 32×32 centres, real ones and fills, each `(N, D)`.

    Attributes:
        real: of the real centres.
        true: of two samples with the true caption, `(2, N, D)`.
        none: of two samples without a caption, the noise the same.
        wrong: of one sample with another picture's caption, with the first noise.
    """

    real: Tensor
    true: Tensor
    none: Tensor
    wrong: Tensor


def centre_features(context: EvalContext, extractor: FeatureExtractor) -> CentreFeatures:
    """Extract the features of real centres and of fills with each kind of caption."""
    fills = context.results.fills
    blank = torch.zeros_like(context.pictures.vectors)
    seed = context.seed + len(context.pictures)
    centres = (
        context.pictures.centres,
        fills[TRUE_CAPTION],
        context.results.reseeded,
        fills[NO_CAPTION],
        context.fill_with_captions("no caption, another seed", blank, seed),
        fills[WRONG_CAPTION],
    )
    features = []
    for pixels in centres:
        features.append(extractor(pixels, context.batch_size))
        context.report_progress("features of centres", len(features), len(centres))
    real, true, true_again, none, none_again, wrong = features
    return CentreFeatures(
        real, torch.stack([true, true_again]), torch.stack([none, none_again]), wrong
    )
