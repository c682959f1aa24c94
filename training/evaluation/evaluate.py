"""Evaluation: a bundle and the classical methods on the same pictures in one run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from captionfill.inpainter import Inpainter
from models.runtime.bundle import Bundle, load_bundle
from models.runtime.engines import load_engine
from training.common.errors import EvaluationError
from training.common.output_files import check_result_files, write_atomically, write_error
from training.data.batches import check_distinct
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split, open_manifest
from training.evaluation.benchmarks.suite import run_benchmarks
from training.evaluation.context import EvalContext
from training.evaluation.methods import Progress
from training.evaluation.report import EvaluationReport
from training.evaluation.results import MethodResults, evaluate_methods, no_progress
from training.evaluation.table_rows import build_table
from training.metrics.mobilenet import load_extractor
from training.reporting.image_grid import picture_grid, stack_grids, to_png
from training.scorers.judge import load_judge


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation.

    Attributes:
        limit: how many pictures of a set, evenly spaced; `None` for all.
        seed: picture *i* is filled with noise of seed + i; also the seed of the wrong captions, of
            KID's subsets and of the resamples of intervals.
        batch_size: pictures at a time in the networks; times are always of one at a time.
        device: where the networks run.
        engine: kind of engine, see `models.runtime.engines.load_engine`.
    """

    limit: int | None = None
    seed: int = 0
    batch_size: int = 32
    device: str = "cpu"
    engine: str = "auto"

    def __post_init__(self) -> None:
        """Refuse a negative seed."""
        if self.seed < 0:
            raise EvaluationError(f"the seed must not be negative: {self.seed}")


@dataclass(frozen=True)
class BenchmarkOptions:
    """What the benchmarks of `training.evaluation.targets` are run with.

    Attributes:
        judge: weights of a judging scorer; `None` for the shipped one.
        against: folders of other bundles to compare with.
    """

    judge: Path | None = None
    against: Sequence[Path] = field(default_factory=tuple)


def evaluate(
    bundle_folder: Path,
    data: Sequence[Path],
    split: str | None,
    *,
    out_json: Path,
    settings: EvaluationSettings | None = None,
    benchmarks: BenchmarkOptions | None = None,
    progress: Progress = no_progress,
) -> EvaluationReport:
    """Measure a bundle and its alternatives; write JSON, Markdown and a picture grid.

    Args:
        bundle_folder: written by `export`.
        data: folders written by `prepare`.
        split: of the data, such as `dev`; `None` for each folder's held-out one.
        out_json: ends in `.json`; the Markdown (`.md`) and the grid (`.png`) go beside it.
        settings: of the evaluation.
        benchmarks: `None` to build the table of methods alone, without the benchmarks.
        progress: called after each step of a stage.

    Returns:
        The report that was written.

    Raises:
        EvaluationError: fewer than two pictures, pictures under 64×64, no `.json` name.
        PreparedDataError: no such data or split, its captions are of another encoder, or the
            same data is given twice.
        BundleError: no such bundle, or it is damaged.
        RunError: no such judge, or the results cannot be written.
    """
    check_result_files(out_json)
    settings = settings or EvaluationSettings()
    bundle = load_bundle(bundle_folder, settings.device)
    inpainter = Inpainter(load_engine(bundle, settings.engine))
    config = bundle.config
    others = load_comparison_bundles(bundle, benchmarks.against if benchmarks else (), settings)
    judge = load_judge(config.caption_dim, benchmarks.judge) if benchmarks else None
    extractor = load_extractor(settings.device)
    encoder = config.encoder_fingerprint
    sets = [(folder, split or Manifest.load(folder).validation_split) for folder in data]
    # All of them are checked before the work on the first.
    check_distinct(data, [open_manifest(folder, which, encoder) for folder, which in sets])
    all_results, measurements = [], []
    for folder, which in sets:
        results = evaluate_methods(
            inpainter.fill_batch,
            {name: other.fill_batch for name, other in others.items()},
            load_split(folder, which, encoder_fingerprint=encoder),
            which,
            extractor,
            limit=settings.limit,
            seed=settings.seed,
            batch_size=settings.batch_size,
            progress=progress,
        )
        all_results.append(results)
        if benchmarks:
            context = EvalContext(
                results, inpainter, others, extractor, judge, settings.batch_size, progress
            )
            measurements += run_benchmarks(context)
    tables = [build_table(inpainter.engine, results, extractor) for results in all_results]
    report = EvaluationReport(tables, measurements)
    write_report(report, all_results, out_json)
    return report


def load_comparison_bundles(
    bundle: Bundle, folders: Sequence[Path], settings: EvaluationSettings
) -> Mapping[str, Inpainter]:
    """Load the bundles to compare with, by name.

    Raises:
        BundleError: no such bundle, or it is damaged.
        EvaluationError: made with another sentence encoder, or two have the same name.
    """
    found: dict[str, Inpainter] = {}
    for folder in folders:
        other = load_bundle(folder, settings.device)
        name = f"{other.config.name} (another bundle)"
        if other.config.encoder_fingerprint != bundle.config.encoder_fingerprint:
            raise EvaluationError(f"{folder}: made with another sentence encoder")
        if name in found:
            raise EvaluationError(f"two bundles to compare with are called {other.config.name!r}")
        found[name] = Inpainter(load_engine(other, settings.engine))
    return found


def write_report(
    report: EvaluationReport, results: Sequence[MethodResults], out_json: Path
) -> None:
    """Write JSON, Markdown and the grids.

    Raises:
        OutputError: they cannot be written, for example because the disk is full.
    """
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    grids = stack_grids([picture_grid(*one.grid()) for one in results])
    try:
        write_atomically(out_json, text + "\n")
        write_atomically(out_json.with_suffix(".md"), report.to_markdown())
        write_atomically(out_json.with_suffix(".png"), to_png(grids))
    except OSError as error:
        raise write_error(out_json, error) from error
