"""Measures the fills of runs image by image, so that their metrics can be paired."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from training.common.console import print_stderr
from training.common.errors import RunError
from training.data.memory_dataset import PreparedSplit
from training.evaluation.dataset import EvaluationSet, select_pictures
from training.evaluation.metrics.confidence import bootstrap_interval
from training.evaluation.metrics.definitions import COMPARISON_DEFINITIONS
from training.evaluation.metrics.image_metrics import (
    ExtractFeatures,
    ImageMetrics,
    relative_to_real,
)
from training.evaluation.metrics.kid import KID_MIN_IMAGES, Kid
from training.evaluation.metrics.mobilenet import feature_distance, require_extractor
from training.evaluation.metrics.pixels import l1_levels, seam_gradient, square_gradient
from training.experiments.comparison.columns import Column, markdown_rows
from training.experiments.comparison.runs import (
    FillRun,
    Request,
    data_folder,
    fill_function,
    load_shared_split,
)
from training.monitors.image_monitors import pixel_std
from training.runs.load_run import LoadedRun

KID_COLUMN = Column("kid", "KID ×10³ ↓")
METRICS = (
    Column("hole_psnr", "hole_psnr ↑", 3),
    Column("l1", "l1 ↓", 3),
    Column("ssim", "ssim ↑", 3),
    Column("feature_distance", "feature_distance ↓", 3),
    Column("seam_ratio", "seam_ratio (1 = real)", 3, reference=1),
    Column("square_ratio", "square_ratio (1 = real)", 3, reference=1),
    Column("contrast", "contrast (1 = real)", 3, reference=1),
    Column("draws_differ_levels", "draws_differ_levels ↑", 3),
    Column("draws_differ_features", "draws_differ_features ↑", 3),
)
LARGER_IS_BETTER = ("hole_psnr", "ssim")


@dataclass(frozen=True)
class FillMetrics:
    """The first sample of a generator for N pictures, and its metrics.

    Attributes:
        fills: uint8 `(N, 3, 32, 32)`.
        values: metric -> float64 `(N,)`, one a picture.
        kid: over all pictures.
    """

    fills: Tensor
    values: Mapping[str, Tensor]
    kid: Kid | None

    def summary(self, seed: int) -> dict[str, Any]:
        """Return each metric's mean with its 95% bootstrap interval, and KID."""
        means = _intervals(self.values, seed)
        return means | ({"kid": asdict(self.kid)} if self.kid else {})

    def difference(self, base: "FillMetrics", seed: int) -> dict[str, Any]:
        """Return each metric's mean difference to `base`, paired by picture, with interval."""
        differences = {name: values - base.values[name] for name, values in self.values.items()}
        return _intervals(differences, seed)


def _intervals(values: Mapping[str, Tensor], seed: int) -> dict[str, Any]:
    return {name: asdict(bootstrap_interval(one, seed)) for name, one in values.items()}


def measure_runs(
    runs: Mapping[str, LoadedRun], request: Request
) -> tuple[PreparedSplit, EvaluationSet, dict[str, FillMetrics], dict[str, Any]]:
    """Measure every run on the same pictures with noise of the same seeds.

    Returns:
        The split, its pictures, the metrics by run, and the results of any kind of comparison.

    Raises:
        RunError: too few pictures for KID.
    """
    loaded, seed, draws = [*runs.values()], request.seed, request.draws
    prepared = load_shared_split(loaded, data_folder(loaded, request.folder), request.split)
    pictures = select_pictures(prepared, request.count, seed)
    extract = require_extractor()
    if len(pictures) < KID_MIN_IMAGES:
        raise RunError(f"{len(pictures)} pictures are too few: KID needs {KID_MIN_IMAGES}")
    reals = extract(pictures.pixels)
    measured = {}
    for name, run in runs.items():
        print_stderr(f"{name}: {draws} fills for each of {len(pictures)} pictures")
        measured[name] = measure_fills(fill_function(run), pictures, extract, reals, draws, seed)
    results = paired_figures(measured, seed) | {
        "data": f"{prepared.manifest.source}, {prepared.digest}",
        "pictures": f"{len(pictures)}, evenly spaced through {len(prepared)}",
        "seed": seed,
        "draws": draws,
        "definitions": COMPARISON_DEFINITIONS,
    }
    return prepared, pictures, measured, results


def measure_fills(
    fill: FillRun,
    pictures: EvaluationSet,
    extract: ExtractFeatures,
    reals: Tensor,
    draws: int,
    seed: int,
) -> FillMetrics:
    """Fill the holes of some pictures `draws` times, and measure.

    Args:
        fill: of the generator.
        pictures: N of them, each with its true caption.
        extract: pictures to features.
        reals: features `(N, D)` of the real pictures.
        draws: samples of different noise, at least 2. All metrics but those of how draws differ
            are of the first.
        seed: sample *i* has noise of seed + *i*; also of KID's subsets.
    """
    samples = [fill(pictures.pixels, pictures.vectors, seed + i) for i in range(draws)]
    composites = [pictures.composites(fills) for fills in samples]
    features = [extract(images) for images in composites]
    real = pictures.pixels
    metrics = ImageMetrics(composites[0], real, features[0], reals, seed)
    values = {
        "hole_psnr": metrics.hole_psnr,
        "l1": metrics.l1,
        "ssim": metrics.ssim,
        "feature_distance": feature_distance(features[0], reals),
        "seam_ratio": relative_to_real(seam_gradient, composites[0], real),
        "square_ratio": relative_to_real(square_gradient, composites[0], real),
        "contrast": relative_to_real(pixel_std, samples[0], pictures.centres),
        "draws_differ_levels": pairwise_mean(samples, l1_levels),
        "draws_differ_features": pairwise_mean(features, feature_distance),
    }
    return FillMetrics(samples[0], values, metrics.kid)


def pairwise_mean(samples: list[Tensor], distance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the mean distance between two samples of each picture, `(N,)`."""
    pairs = [distance(one, other) for one, other in combinations(samples, 2)]
    return torch.stack(pairs).mean(0)


def paired_figures(measured: Mapping[str, FillMetrics], seed: int) -> dict[str, Any]:
    """Return each run's figures, and their paired differences to the first run's."""
    first = next(iter(measured))
    return {
        "figures": {name: metrics.summary(seed) for name, metrics in measured.items()},
        "against": first,
        "differences": {
            name: metrics.difference(measured[first], seed)
            for name, metrics in measured.items()
            if name != first
        },
    }


def figures_table(results: Mapping[str, Any]) -> str:
    """Return the result of `paired_figures` as two Markdown tables, a row for each run."""

    def table(columns: tuple[Column, ...], figures: Mapping[str, Any]) -> str:
        rows = [{"run": name, **of_run} for name, of_run in figures.items()]
        return markdown_rows((Column("run", "run"), *columns), rows)

    parts = [table((*METRICS, KID_COLUMN), results["figures"])]
    if results["differences"]:
        parts.append(f"Differences to {results['against']}, paired by picture:")
        parts.append(table(METRICS, results["differences"]))
    return "\n\n".join(parts)
