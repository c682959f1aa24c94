"""Evaluation: a bundle and what a user would pick instead, on the same pictures in one run."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from models.bundle import load_bundle
from models.geometry import SIZE, hide, hole_mask, to_float, to_uint8
from training.baselines import TELEA
from training.evaluation_set import EvaluationError, Pictures, choose_pictures
from training.features import PACKAGE, FeatureExtractor, load_extractor
from training.grids import save_grid
from training.methods import (
    NONE,
    TRUE,
    WRONG,
    Progress,
    all_methods,
    fill_all,
    median_time,
    with_bundle,
)
from training.metrics import KID_LEAST, KID_SUBSET_SIZE, KID_SUBSETS
from training.scores import REAL, Scores
from training.shards import load_split
from training.table import EvaluationTable

GRID_PICTURES = 16


def evaluate(
    bundle_folder: Path,
    data: Path,
    split: str,
    *,
    out_json: Path,
    limit: int | None = None,
    seed: int = 0,
    batch_size: int = 32,
    device: str = "cpu",
    progress: Progress = lambda stage, done, total: None,
) -> EvaluationTable:
    """Measure a bundle and its alternatives; write JSON, Markdown and a picture grid.

    Args:
        bundle_folder: what `export` wrote.
        data: what `prepare` wrote.
        split: of the data, such as `dev`.
        out_json: ends in `.json`; the Markdown (`.md`) and the grid (`.png`) go beside it.
        limit: how many pictures, evenly spaced through the split; all where None.
        seed: picture *i* is filled with noise of seed + i; also of the wrong captions and of
            the subsets and resamples that spreads and intervals come from.
        batch_size: pictures at a time in the networks; times are always of one at a time.
        device: where the networks run.
        progress: told how far each method is.

    Returns:
        The table that was written.

    Raises:
        EvaluationError: fewer than two pictures, pictures under 64×64, no `.json` name,
            a negative seed.
        PreparedDataError: no such data or split, or its captions are of another encoder.
        BundleError: no such bundle, or it is damaged.
    """
    if out_json.suffix != ".json":
        raise EvaluationError(f"{out_json}: the name of the result must end in .json")
    if seed < 0:
        raise EvaluationError(f"the seed must not be negative: {seed}")
    bundle = load_bundle(bundle_folder, device)
    prepared = load_split(data, split, encoder_fingerprint=bundle.config.encoder_fingerprint)
    pictures = choose_pictures(prepared, limit, seed)
    count = len(pictures)
    methods = all_methods(bundle, pictures, seed)
    fills = {
        name: fill_all(name, method, count, batch_size, progress)
        for name, method in methods.items()
    }
    another_seed = with_bundle(bundle, pictures, pictures.vectors, seed + count)
    reseeded = fill_all("another seed", another_seed, count, batch_size, progress)
    extractor = load_extractor(device)
    features = _features(extractor, pictures, fills, batch_size=batch_size, progress=progress)
    scores = Scores(pictures, fills, features, seed)
    rows = []
    for done, (name, method) in enumerate(methods.items(), start=1):
        rows.append(scores.row(name, median_time(method, count)))
        progress("scores", done, len(methods))
    table = EvaluationTable(
        about={
            "bundle": bundle.config.name,
            "bundle digest": bundle.digest,
            "data": f"{prepared.manifest.source}, {split}",
            "data digest": prepared.digest,
            **_about_pictures(pictures, len(prepared), seed),
            **_about_features(extractor, count),
            **_about_machine(),
        },
        rows=[*rows, scores.real_row()],
        captions=[scores.caption_effect(other) for other in (WRONG, NONE)],
        seed_moves=scores.distance_between(fills[TRUE], reseeded),
        kid_missing=_why_no_kid(extractor, count),
    )
    _write(table, out_json)
    save_grid(out_json.with_suffix(".png"), *_grid(pictures, fills))
    return table


def _features(
    extractor: FeatureExtractor | None,
    pictures: Pictures,
    fills: Mapping[str, Tensor],
    *,
    batch_size: int,
    progress: Progress,
) -> dict[str, Tensor]:
    """Features of every method's composites and of the real pictures; none without extractor."""
    if extractor is None:
        return {}
    features = {}
    for name, fill in {**fills, REAL: pictures.centres}.items():
        features[name] = extractor(pictures.composites(fill), batch_size)
        progress("features", len(features), len(fills) + 1)
    return features


def _about_pictures(pictures: Pictures, available: int, seed: int) -> dict[str, str]:
    same = sum(
        pictures.captions[other] == caption
        for other, caption in zip(pictures.others.tolist(), pictures.captions, strict=True)
    )
    return {
        "pictures": f"{len(pictures)}, evenly spaced through {available}, central {SIZE}×{SIZE}",
        "captions": "the first of each picture; the wrong one is the first of another picture, "
        f"of another class where the data have classes ({same} read the same)",
        "seed": str(seed),
    }


def _about_features(extractor: FeatureExtractor | None, count: int) -> dict[str, str]:
    if extractor is None:
        return {"features": "none"}
    return {
        "features": extractor.name,
        "features digest": extractor.digest,
        "KID subsets": f"{KID_SUBSETS} of {min(KID_SUBSET_SIZE, count // 2)} pictures a side",
    }


def _about_machine() -> dict[str, str]:
    machine = platform.processor() or platform.machine()
    return {"machine": f"{machine}, {torch.get_num_threads()} threads, torch {torch.__version__}"}


def _why_no_kid(extractor: FeatureExtractor | None, count: int) -> str:
    if extractor is None:
        return f"needs the package {PACKAGE}"
    return "" if count >= KID_LEAST else f"needs {KID_LEAST} pictures"


def _grid(pictures: Pictures, fills: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Columns and row labels of the grid: the first pictures, unpicked."""
    names = (TRUE, NONE, WRONG, TELEA)
    columns = {
        "context": to_uint8(hide(to_float(pictures.pixels), hole_mask())),
        **{name: pictures.composites(fills[name]) for name in names},
        "real": pictures.pixels,
    }
    labels = [
        f"{caption} [wrong: {pictures.captions[other]}]"
        for caption, other in zip(pictures.captions, pictures.others.tolist(), strict=True)
    ]
    shown = {name: column[:GRID_PICTURES] for name, column in columns.items()}
    return shown, labels[:GRID_PICTURES]


def _write(table: EvaluationTable, out_json: Path) -> None:
    out_json.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(table.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    out_json.write_text(text + "\n", encoding="utf-8")
    out_json.with_suffix(".md").write_text(table.to_markdown(), encoding="utf-8")
