"""One set of pictures, with the fills of every method, their features and their times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from captionfill.inpainter import Inpainter
from training.common.console import StageProgress, no_progress
from training.data.memory_dataset import PreparedSplit
from training.evaluation.benchmarks.measurement import NotMeasuredError
from training.evaluation.dataset import EvaluationSet, evenly_spaced
from training.evaluation.methods import (
    CLASSICAL,
    MEAN_CENTRE,
    NO_CAPTION,
    NO_CAPTION_RESEEDED,
    NOISELESS,
    OTHER_CENTRE,
    REAL,
    RESEEDED,
    TRUE_CAPTION,
    WRONG_CAPTION,
    Method,
    baseline_methods,
    median_time,
)
from training.evaluation.metrics.image_metrics import ImageMetrics
from training.evaluation.metrics.mobilenet import PACKAGE, FeatureExtractor
from training.evaluation.scorers.judge import Judge

NUM_SAMPLES = 16
DIVERSITY_SAMPLES = 4
NUM_CANDIDATES = 8  # that the bundle ranks
MAX_SAMPLED_PICTURES = 400  # of a set, filled that often; the paired differences vary little
NO_JUDGE = "no judge reads these captions: train one (captionfill-train scorer judge)"


@dataclass(frozen=True)
class EvalContext:
    """A bundle and its alternatives on N pictures; results are computed when first read.

    Attributes:
        inpainter: fills, and ranks the fills where the bundle has a scorer.
        prepared: the prepared split.
        split: its name.
        pictures: N of its pictures.
        extractor: MobileNetV2's features; `None` without its package.
        judge: the judging scorer; `None` where there is none for these captions.
        others: other bundles to compare with, by the name of their method.
        seed: of the noise (seed + i for picture *i*), subsets and resamples.
        batch_size: pictures at a time in the networks; times are always of one at a time.
        progress: called after each batch of a stage.
    """

    inpainter: Inpainter
    prepared: PreparedSplit
    split: str
    pictures: EvaluationSet
    extractor: FeatureExtractor | None
    judge: Judge | None = None
    others: Mapping[str, Inpainter] = field(default_factory=dict)
    seed: int = 0
    batch_size: int = 32
    progress: StageProgress = no_progress
    _results: dict[tuple[str, str], Tensor] = field(default_factory=dict)

    def with_bundle(self, inpainter: Inpainter) -> EvalContext:
        """Return the same pictures with another bundle; the baselines' results are kept."""
        names = (MEAN_CENTRE, OTHER_CENTRE, *CLASSICAL, REAL)
        kept = {key: result for key, result in self._results.items() if key[1] in names}
        return replace(self, inpainter=inpainter, _results=kept)

    @property
    def name(self) -> str:
        """Source and split of the pictures."""
        return f"{self.prepared.manifest.source}, {self.split}"

    @property
    def rows(self) -> Tensor:
        """Rows of the pictures in the split."""
        return evenly_spaced(len(self.prepared), len(self.pictures))

    @property
    def sampled_rows(self) -> Tensor:
        """Rows of the pictures that are filled `NUM_SAMPLES` times."""
        return evenly_spaced(len(self.pictures), MAX_SAMPLED_PICTURES)

    @cached_property
    def table_methods(self) -> dict[str, Method]:
        """The methods of the table, in its order."""
        vectors = self.pictures.vectors
        return {
            **baseline_methods(self.pictures),
            TRUE_CAPTION: self.bundle_method(self.inpainter, vectors),
            NO_CAPTION: self.bundle_method(self.inpainter, torch.zeros_like(vectors)),
            WRONG_CAPTION: self.bundle_method(self.inpainter, vectors[self.pictures.mismatched]),
            **{name: self.bundle_method(other, vectors) for name, other in self.others.items()},
        }

    @cached_property
    def methods(self) -> dict[str, Method]:
        """All methods: those of the table, and what the benchmarks compare with."""
        pictures, vectors = self.pictures, self.pictures.vectors
        noiseless = {NOISELESS: self.inpainter}
        noiseless |= {f"{name}, {NOISELESS}": other for name, other in self.others.items()}
        return {
            **self.table_methods,
            REAL: lambda rows: pictures.centres[rows],
            RESEEDED: self.bundle_method(self.inpainter, vectors, len(pictures)),
            NO_CAPTION_RESEEDED: self.bundle_method(
                self.inpainter, torch.zeros_like(vectors), len(pictures)
            ),
            **{n: self.bundle_method(one, vectors, 0, 0.0) for n, one in noiseless.items()},
        }

    def bundle_method(
        self, inpainter: Inpainter, captions: Tensor, offset: int = 0, temperature: float = 1.0
    ) -> Method:
        """Return a method with captions `(N, D)` and noise of seed + offset + i for picture *i*."""

        def method(rows: Tensor) -> Tensor:
            seeds, scales = (
                [self.seed + offset + i for i in rows.tolist()],
                [temperature] * len(rows),
            )
            pixels, vectors = self.pictures.pixels[rows].numpy(), captions[rows].numpy()
            return torch.from_numpy(inpainter.fill_batch(pixels, vectors, seeds, scales))

        return method

    def fills(self, method: str) -> Tensor:
        """Fill all pictures, uint8 `(N, 3, 32, 32)`."""

        def fill() -> Tensor:
            return self.in_batches(method, self.methods[method], torch.arange(len(self.pictures)))

        return self._once("fills", method, fill)

    def features(self, method: str) -> Tensor:
        """Extract the features of a method's composites, `(N, D)`."""

        def extract() -> Tensor:
            return self.extract("features", self.pictures.composites(self.fills(method)))

        return self._once("features", method, extract)

    def centre_features(self, method: str) -> Tensor:
        """Extract the features of a method's fills alone, `(N, D)`."""
        stage = "features of centres"
        return self._once(stage, method, lambda: self.extract(stage, self.fills(method)))

    def _once(self, kind: str, method: str, compute: Callable[[], Tensor]) -> Tensor:
        if (kind, method) not in self._results:
            self._results[kind, method] = compute()
        return self._results[kind, method]

    def metrics(self, method: str) -> ImageMetrics:
        """Return the metrics of a method's composites."""
        composites, real = self.pictures.composites(self.fills(method)), self.pictures.pixels
        if self.extractor is None:
            return ImageMetrics(composites, real, seed=self.seed)
        return ImageMetrics(composites, real, self.features(method), self.features(REAL), self.seed)

    @cached_property
    def milliseconds(self) -> dict[str, float]:
        """Median time of one picture by each method of the table."""
        count = len(self.pictures)
        return {name: median_time(method, count) for name, method in self.table_methods.items()}

    @cached_property
    def samples(self) -> Tensor:
        """Fills of `sampled_rows` by the bundle, uint8 `(NUM_SAMPLES, M, 3, 32, 32)`."""
        return self.draw_samples(self.inpainter, "draws", NUM_SAMPLES)

    @cached_property
    def sample_features(self) -> Tensor:
        """Features of the first samples, `(DIVERSITY_SAMPLES, M, D)`."""
        rows = self.sampled_rows
        known = [self.centre_features(method)[rows] for method in (TRUE_CAPTION, RESEEDED)]
        others = self.samples[len(known) : DIVERSITY_SAMPLES]
        return torch.stack([*known, *(self.extract("features of draws", one) for one in others)])

    @cached_property
    def ranked_features(self) -> Tensor:
        """Features of the first of the candidates as the bundle ranks them, `(M, D)`."""
        if not self.inpainter.engine.has_scorer:
            raise NotMeasuredError("the bundle carries no scorer")
        pictures = self.pictures.gather(self.sampled_rows)
        candidates = self.samples[:NUM_CANDIDATES]
        composites = map(pictures.composites, candidates)
        vectors = pictures.vectors.numpy()
        scores = [self.inpainter.score_batch(one.numpy(), vectors) for one in composites]
        best = candidates[torch.from_numpy(np.stack(scores)).argmax(0), torch.arange(len(pictures))]
        return self.extract("features of ranked fills", best)

    def draw_samples(self, inpainter: Inpainter, stage: str, count: int) -> Tensor:
        """Fill `sampled_rows` many times with their true captions, `(count, M, 3, 32, 32)`.

        Sample *k* of picture *i* has noise of seed + k × N + i, so the first is the table's.
        """
        samples = []
        for number in range(count):
            offset = number * len(self.pictures)
            method = self.bundle_method(inpainter, self.pictures.vectors, offset)
            batches = torch.split(self.sampled_rows, self.batch_size)
            samples.append(torch.cat([method(rows) for rows in batches]))
            self.report_progress(stage, number + 1, count)
        return torch.stack(samples)

    @property
    def required_extractor(self) -> FeatureExtractor:
        """The feature extractor; raises `NotMeasuredError` without its package."""
        if self.extractor is None:
            raise NotMeasuredError(f"needs the package {PACKAGE}")
        return self.extractor

    @property
    def network(self) -> str:
        """Name and digest of the feature network."""
        return f"{self.required_extractor.name}, {self.required_extractor.digest}"

    @property
    def required_judge(self) -> Judge:
        """The judge; raises `NotMeasuredError` where there is none, or no features for it."""
        if self.required_extractor and self.judge:
            return self.judge
        raise NotMeasuredError(NO_JUDGE)

    def extract(self, stage: str, images: Tensor) -> Tensor:
        """Extract features `(n, D)` of images, uint8 `(n, 3, H, W)`."""
        extractor, size, rows = self.required_extractor, self.batch_size, torch.arange(len(images))
        return self.in_batches(stage, lambda batch: extractor(images[batch], size), rows)

    def in_batches(self, stage: str, compute: Method, rows: Tensor) -> Tensor:
        """Compute `batch_size` rows at a time, and report the progress."""
        parts: list[Tensor] = []
        for batch in torch.split(rows, self.batch_size):
            parts.append(compute(batch))
            self.report_progress(stage, sum(map(len, parts)), len(rows))
        return torch.cat(parts)

    def report_progress(self, stage: str, done: int, total: int) -> None:
        """Report the progress of a stage of this set."""
        self.progress(f"{self.prepared.manifest.source}: {stage}", done, total)
