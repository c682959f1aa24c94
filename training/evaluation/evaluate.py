"""Evaluation: a bundle and the classical methods on the same pictures in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from captionfill.inpainter import Inpainter
from models.runtime.bundle import Bundle, load_bundle
from models.runtime.engines import load_engine
from training.common.console import StageProgress, no_progress
from training.common.errors import EvaluationError
from training.common.output_files import check_result_files
from training.data.batches import check_distinct
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split, open_manifest
from training.evaluation.benchmarks.context import EvalContext
from training.evaluation.benchmarks.suite import run_benchmarks
from training.evaluation.dataset import select_pictures
from training.evaluation.metrics.mobilenet import load_extractor
from training.evaluation.report import EvaluationReport, example_grid
from training.evaluation.scorers.judge import load_judge
from training.evaluation.table import build_table


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation.

    Attributes:
        split: of the data, such as `dev`; `None` for each folder's held-out one.
        limit: how many pictures of a set, evenly spaced; `None` for all.
        seed: picture *i* is filled with noise of seed + i; also the seed of the wrong captions, of
            KID's subsets and of the resamples of intervals.
        batch_size: pictures at a time in the networks; times are always of one at a time.
        engine: kind of engine, see `models.runtime.engines.load_engine`.
        measures: whether to run the benchmarks, or only to build the table of methods.
        judge: weights of a judging scorer; `None` for the shipped one.
        against: folders of other bundles to compare with.
    """

    split: str | None = None
    limit: int | None = None
    seed: int = 0
    batch_size: int = 32
    engine: str = "auto"
    measures: bool = True
    judge: Path | None = None
    against: Sequence[Path] = ()

    def __post_init__(self) -> None:
        """Refuse a negative seed."""
        if self.seed < 0:
            raise EvaluationError(f"the seed must not be negative: {self.seed}")


def evaluate(
    bundle_folder: Path,
    data: Sequence[Path],
    out_json: Path,
    settings: EvaluationSettings,
    progress: StageProgress = no_progress,
) -> EvaluationReport:
    """Measure a bundle and its alternatives on the folders `data`, which `prepare` wrote.

    Writes JSON, and beside it Markdown (`.md`) and a picture grid (`.png`).

    Raises:
        EvaluationError: fewer than two pictures, pictures under 64×64, or bundles that cannot be
            compared.
        PreparedDataError: no such data or split, its captions are of another encoder, or the
            same data is given twice.
        BundleError: no such bundle, or it is damaged.
        RunError: no such judge, or the results cannot be written.
    """
    check_result_files(out_json)
    bundle = load_bundle(bundle_folder)
    inpainter = Inpainter(load_engine(bundle, settings.engine))
    others = load_comparison_bundles(bundle, settings)
    judge = load_judge(bundle.config.caption_dim, settings.judge) if settings.measures else None
    extractor, encoder = load_extractor(), bundle.config.encoder_fingerprint
    splits = [settings.split or Manifest.load(folder).validation_split for folder in data]
    sets = list(zip(data, splits, strict=True))
    # All of them are checked before the work on the first.
    check_distinct(data, [open_manifest(folder, split, encoder) for folder, split in sets])
    tables, measurements, grids = [], [], []
    for folder, split in sets:
        prepared = load_split(folder, split, encoder_fingerprint=encoder)
        context = EvalContext(
            inpainter,
            prepared,
            split,
            select_pictures(prepared, settings.limit, settings.seed),
            extractor,
            judge,
            others,
            settings.seed,
            settings.batch_size,
            progress,
        )
        tables.append(build_table(context))
        grids.append(example_grid(context))
        if settings.measures:
            measurements += run_benchmarks(context)
    report = EvaluationReport(tables, measurements)
    report.write(out_json, grids)
    return report


def load_comparison_bundles(
    bundle: Bundle, settings: EvaluationSettings
) -> Mapping[str, Inpainter]:
    """Load the bundles to compare with, by the name of their method.

    Raises:
        BundleError: no such bundle, or it is damaged.
        EvaluationError: made with another sentence encoder, or two have the same name.
    """
    found: dict[str, Inpainter] = {}
    for folder in settings.against:
        other = load_bundle(folder)
        name = f"{other.config.name} (another bundle)"
        if other.config.encoder_fingerprint != bundle.config.encoder_fingerprint:
            raise EvaluationError(f"{folder}: made with another sentence encoder")
        if name in found:
            raise EvaluationError(f"two bundles to compare with are called {other.config.name!r}")
        found[name] = Inpainter(load_engine(other, settings.engine))
    return found
