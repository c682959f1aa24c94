"""Who is measured, on what: everything that the measures of one set share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from models.runtime.bundle import Bundle
from models.runtime.engines import Engine
from training.evaluation.dataset import EvaluationSet, evenly_spaced
from training.evaluation.methods import NONE, TRUE, WRONG, Filler, Progress, fill_all, with_captions
from training.evaluation.results import MethodResults
from training.metrics.mobilenet import PACKAGE, FeatureExtractor
from training.scorers.judge import Judge

DRAWS = 16
DRAWN_PICTURES = 400  # of a set, that are filled so often; the paired differences vary little


class ComparisonBundle(NamedTuple):
    """Another bundle to compare with."""

    engine: Engine
    digest: str


@dataclass(frozen=True)
class EvalContext:
    """A bundle on one set of pictures.

    Attributes:
        done: what every method made of the set.
        engine: what fills, and ranks where the bundle carries a scorer.
        rivals: other bundles, by the name of their method.
        extractor: MobileNetV2's features; `None` where its package is not installed.
        judge: the judging scorer; `None` where there is none for these captions.
        batch_size: pictures at a time.
        progress: told how far each stage is.
    """

    done: MethodResults
    engine: Engine
    rivals: Mapping[str, ComparisonBundle]
    extractor: FeatureExtractor | None
    judge: Judge | None
    batch_size: int
    progress: Progress

    @property
    def pictures(self) -> EvaluationSet:
        """All pictures of the set."""
        return self.done.pictures

    @property
    def drawn(self) -> Tensor:
        """Rows of the pictures that are filled many times."""
        return evenly_spaced(len(self.pictures), DRAWN_PICTURES)

    @property
    def bundle(self) -> Bundle:
        """For its caption encoder, and whether it has a scorer."""
        return self.engine.bundle

    @property
    def device(self) -> str:
        """Where the networks run."""
        return str(next(self.bundle.generator.parameters()).device)

    @property
    def why_blind(self) -> str:
        """Why there are no features."""
        return f"needs the package {PACKAGE}"

    def tell(self, stage: str, done: int, total: int | None) -> None:
        """Tell how far a stage of this set is."""
        self.progress(f"{self.done.prepared.manifest.source}: {stage}", done, total)

    def fill_again(self, stage: str, captions: Tensor, seed: int) -> Tensor:
        """Fill every picture, noise of seed + i for picture *i*."""
        method = with_captions(self.engine.fill, self.pictures, captions, seed)
        return fill_all(stage, method, len(self.pictures), self.batch_size, self.tell)

    def fill_still(self, engine: Engine, stage: str) -> Tensor:
        """Fill every picture at temperature 0, uint8 `(N, 3, 32, 32)`."""

        def cool(pixels: Tensor, captions: Tensor, seeds: Sequence[int]) -> Tensor:
            return engine.fill(pixels, captions, seeds, [0.0] * len(seeds))

        method = with_captions(cool, self.pictures, self.pictures.vectors, self.done.seed)
        return fill_all(stage, method, len(self.pictures), self.batch_size, self.tell)

    def draw(self, fill: Filler, stage: str, first: Tensor, count: int = DRAWS) -> Tensor:
        """Fill the `drawn` pictures many times with their true captions.

        Draw *k* of picture *i* has noise of seed + k × N + i, so the first is the table's.

        Args:
            fill: of the bundle.
            stage: what to call it.
            first: the first draws, uint8 `(k, M, 3, 32, 32)`, which there are already.
            count: how many draws of a picture, with those.

        Returns:
            uint8 `(count, M, 3, 32, 32)`.
        """
        rows, draws = self.drawn, [*first]
        some = self.pictures.take(rows)
        for number in range(len(first), count):
            start = self.done.seed + number * len(self.pictures)
            seeds = (start + rows).tolist()
            parts = torch.arange(len(rows)).split(self.batch_size)
            fills = [
                fill(some.pixels[p], some.vectors[p], seeds[int(p[0]) : int(p[-1]) + 1])
                for p in parts
            ]
            draws.append(torch.cat(fills))
            self.tell(stage, number + 1, count)
        return torch.stack(draws)


@dataclass(frozen=True)
class Seen:
    """Features of 32×32 centres: the real ones and what was filled in, each `(N, D)`.

    Attributes:
        real: of the real centres.
        true: of two draws with the true caption, `(2, N, D)`.
        none: of two draws without, the noise the same.
        wrong: of one with another picture's caption, with the first noise.
    """

    real: Tensor
    true: Tensor
    none: Tensor
    wrong: Tensor


def see(subject: EvalContext, extractor: FeatureExtractor) -> Seen:
    """Look at the centres alone."""
    fills, count = subject.done.fills, len(subject.pictures)
    captionless = torch.zeros_like(subject.pictures.vectors)
    seed = subject.done.seed + count
    again = subject.fill_again("no caption, another seed", captionless, seed)
    centres = (
        subject.pictures.centres,
        fills[TRUE],
        subject.done.reseeded,
        fills[NONE],
        again,
        fills[WRONG],
    )
    looked = []
    for one in centres:
        looked.append(extractor(one, subject.batch_size))
        subject.tell("features of centres", len(looked), len(centres))
    real, true, true_again, none, none_again, wrong = looked
    return Seen(real, torch.stack([true, true_again]), torch.stack([none, none_again]), wrong)
