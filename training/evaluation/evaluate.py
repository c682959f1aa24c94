"""Evaluation: a bundle and what a user would pick instead, on the same pictures in one run."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from models.runtime.bundle import Bundle, load_bundle
from models.runtime.engines import Engine, load_engine
from training.common.errors import EvaluationError
from training.common.output_files import cannot_be_written, check_results, write_whole
from training.data.batches import check_distinct
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split, open_manifest
from training.evaluation.benchmarks.suite import measure_set
from training.evaluation.context import ComparisonBundle, EvalContext
from training.evaluation.methods import NONE, TRUE, WRONG, Progress
from training.evaluation.report import EvaluationReport
from training.evaluation.results import MethodResults, evaluate_methods
from training.evaluation.table import EvaluationTable
from training.metrics.images import KID_LEAST, KID_SUBSET_SIZE, KID_SUBSETS
from training.metrics.mobilenet import PACKAGE, FeatureExtractor, load_extractor
from training.reporting.image_grid import picture_grid, stacked, to_png
from training.scorers.judge import load_judge


@dataclass(frozen=True)
class EvaluationSettings:
    """How an evaluation is made.

    Attributes:
        limit: how many pictures of a set, evenly spaced; all where None.
        seed: picture *i* is filled with noise of seed + i; also of the wrong captions and of
            the subsets and resamples that spreads and intervals come from.
        batch_size: pictures at a time in the networks; times are always of one at a time.
        device: where the networks run.
        engine: what computes the fills: `models.runtime.engines.load_engine`'s kind.
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
class ComparisonBundles:
    """What a bundle is measured by, besides the classical methods.

    Attributes:
        judge: weights of another judging scorer than the shipped one.
        against: folders of other bundles.
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
    rivals: ComparisonBundles | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> EvaluationReport:
    """Measure a bundle and its alternatives; write JSON, Markdown and a picture grid.

    Args:
        bundle_folder: what `export` wrote.
        data: folders that `prepare` wrote.
        split: of the data, such as `dev`; what each holds out to choose models on where None.
        out_json: ends in `.json`; the Markdown (`.md`) and the grid (`.png`) go beside it.
        settings: how it is made.
        rivals: what the measures of `training.evaluation.targets` are taken with; where None, they
            are not taken, and the methods' table is all.
        progress: told how far each stage is.

    Returns:
        What was written.

    Raises:
        EvaluationError: fewer than two pictures, pictures under 64×64, no `.json` name.
        PreparedDataError: no such data or split, its captions are of another encoder, or the
            same data is given twice.
        BundleError: no such bundle, or it is damaged.
        RunError: no such judge, or the results cannot be written.
    """
    check_results(out_json)
    settings = settings or EvaluationSettings()
    engine = load_engine(load_bundle(bundle_folder, settings.device), settings.engine)
    bundle = engine.bundle
    against = load_rivals(bundle, rivals.against if rivals else (), settings)
    judge = load_judge(bundle.config.caption_dim, rivals.judge) if rivals else None
    extractor = load_extractor(settings.device)
    encoder = bundle.config.encoder_fingerprint
    splits = [split or Manifest.load(folder).held_out for folder in data]
    # The last one too, before the work on the first.
    pairs = zip(data, splits, strict=True)
    check_distinct(data, [open_manifest(folder, which, encoder) for folder, which in pairs])
    sets, figures = [], []
    for folder, which in zip(data, splits, strict=True):
        done = evaluate_methods(
            engine.fill,
            {name: rival.engine.fill for name, rival in against.items()},
            load_split(folder, which, encoder_fingerprint=encoder),
            which,
            extractor,
            limit=settings.limit,
            seed=settings.seed,
            batch_size=settings.batch_size,
            progress=progress,
        )
        sets.append(done)
        if rivals:
            subject = EvalContext(
                done=done,
                engine=engine,
                rivals=against,
                extractor=extractor,
                judge=judge,
                batch_size=settings.batch_size,
                progress=progress,
            )
            figures += measure_set(subject)
    result = EvaluationReport([table_of(engine, done, extractor) for done in sets], figures)
    write(result, sets, out_json)
    return result


def load_rivals(
    bundle: Bundle, folders: Sequence[Path], settings: EvaluationSettings
) -> Mapping[str, ComparisonBundle]:
    """Load the bundles to compare with, by name.

    Raises:
        BundleError: no such bundle, or it is damaged.
        EvaluationError: another sentence encoder's, or two of one name.
    """
    rivals: dict[str, ComparisonBundle] = {}
    for folder in folders:
        other = load_bundle(folder, settings.device)
        name = f"{other.config.name} (another bundle)"
        if other.config.encoder_fingerprint != bundle.config.encoder_fingerprint:
            raise EvaluationError(f"{folder}: made with another sentence encoder")
        if name in rivals:
            raise EvaluationError(f"two bundles to compare with are called {other.config.name!r}")
        rivals[name] = ComparisonBundle(load_engine(other, settings.engine), other.digest)
    return rivals


def table_of(
    engine: Engine, done: MethodResults, extractor: FeatureExtractor | None
) -> EvaluationTable:
    """The table of one set."""
    count, scores = len(done.pictures), done.scores
    rows = [scores.row(name, milliseconds) for name, milliseconds in done.milliseconds.items()]
    return EvaluationTable(
        about={
            "bundle": engine.bundle.config.name,
            "bundle digest": engine.bundle.digest,
            "engine": engine.name,
            **done.about(),
            **about_features(extractor, count),
            **about_machine(),
        },
        rows=[*rows, scores.real_row()],
        captions=[scores.caption_effect(other) for other in (WRONG, NONE)],
        seed_moves=scores.distance_between(done.fills[TRUE], done.reseeded),
        kid_missing=why_no_kid(extractor, count),
    )


def about_features(extractor: FeatureExtractor | None, count: int) -> dict[str, str]:
    """The network of KID, for the record."""
    if extractor is None:
        return {"features": "none"}
    return {
        "features": extractor.name,
        "features digest": extractor.digest,
        "KID subsets": f"{KID_SUBSETS} of {min(KID_SUBSET_SIZE, count // 2)} pictures a side",
    }


def about_machine() -> dict[str, str]:
    """What the times were measured on."""
    machine = platform.processor() or platform.machine()
    return {"machine": f"{machine}, {torch.get_num_threads()} threads, torch {torch.__version__}"}


def why_no_kid(extractor: FeatureExtractor | None, count: int) -> str:
    """Why KID was not measured; empty where it was."""
    if extractor is None:
        return f"needs the package {PACKAGE}"
    return "" if count >= KID_LEAST else f"needs {KID_LEAST} pictures"


def write(result: EvaluationReport, sets: Sequence[MethodResults], out_json: Path) -> None:
    """Write JSON, Markdown and grids.

    Raises:
        OutputError: they cannot be written any more, such as on a disk that became full.
    """
    text = json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    grids = stacked([picture_grid(*done.grid()) for done in sets])
    try:
        write_whole(out_json, text + "\n")
        write_whole(out_json.with_suffix(".md"), result.to_markdown())
        write_whole(out_json.with_suffix(".png"), to_png(grids))
    except OSError as error:
        raise cannot_be_written(out_json, error) from error
