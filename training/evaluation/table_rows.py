"""Builds the table of one set from the results of every method."""

from __future__ import annotations

import platform

import torch
from torch import Tensor

from models.runtime.engines import Engine
from training.evaluation.methods import NO_CAPTION, REAL, TRUE_CAPTION, WRONG_CAPTION
from training.evaluation.results import MethodResults
from training.evaluation.table import CaptionEffect, EvaluationTable, TableRow
from training.metrics.confidence import bootstrap_interval
from training.metrics.kid import KID_MIN_IMAGES, KID_SUBSET_SIZE, KID_SUBSETS
from training.metrics.mobilenet import PACKAGE, FeatureExtractor
from training.metrics.pixels import l1_levels


def build_table(
    engine: Engine, results: MethodResults, extractor: FeatureExtractor | None
) -> EvaluationTable:
    """Build the table of one set."""
    count = len(results.pictures)
    rows = [table_row(results, name, time) for name, time in results.milliseconds.items()]
    return EvaluationTable(
        about={
            "bundle": engine.bundle.config.name,
            "bundle digest": engine.bundle.digest,
            "engine": engine.name,
            **results.about(),
            **about_features(extractor, count),
            **about_machine(),
        },
        rows=[*rows, real_row(results)],
        captions=[caption_effect(results, other) for other in (WRONG_CAPTION, NO_CAPTION)],
        seed_moves=fill_distance(results.fills[TRUE_CAPTION], results.reseeded),
        kid_missing=missing_kid_reason(extractor, count),
    )


def table_row(results: MethodResults, method: str, milliseconds: float) -> TableRow:
    """Build the row of a method that takes `milliseconds` a picture."""
    metrics = results.metrics(method)
    return TableRow(
        method=method,
        hole_psnr=float(metrics.hole_psnr.mean()),
        l1=float(metrics.l1.mean()),
        ssim=float(metrics.ssim.mean()),
        kid=metrics.kid,
        seam_ratio=metrics.seam_ratio,
        milliseconds=milliseconds,
    )


def real_row(results: MethodResults) -> TableRow:
    """Build the row of the real pictures: the floor of KID, and a seam ratio of 1."""
    metrics = results.metrics(REAL)
    return TableRow(
        REAL, None, None, None, kid=metrics.kid, seam_ratio=metrics.seam_ratio, milliseconds=None
    )


def caption_effect(results: MethodResults, other: str) -> CaptionEffect:
    """Compare the true caption with the method `other`, paired by picture, the noise the same."""
    true, changed = results.metrics(TRUE_CAPTION), results.metrics(other)
    feature_gain = None
    distance, true_distance = changed.feature_distance, true.feature_distance
    if distance is not None and true_distance is not None:
        feature_gain = bootstrap_interval(distance - true_distance, results.seed)
    return CaptionEffect(
        against=other,
        fill_moves=fill_distance(true.fills, changed.fills),
        l1_gain=bootstrap_interval(changed.l1 - true.l1, results.seed),
        feature_gain=feature_gain,
    )


def fill_distance(first: Tensor, second: Tensor) -> float:
    """Return the mean absolute difference between two sets of fills in 8-bit levels."""
    return float(l1_levels(first, second).mean())


def about_features(extractor: FeatureExtractor | None, count: int) -> dict[str, str]:
    """Return name and digest of KID's feature network, and the subsets."""
    if extractor is None:
        return {"features": "none"}
    return {
        "features": extractor.name,
        "features digest": extractor.digest,
        "KID subsets": f"{KID_SUBSETS} of {min(KID_SUBSET_SIZE, count // 2)} pictures a side",
    }


def about_machine() -> dict[str, str]:
    """Return processor, threads and torch version, which the times depend on."""
    machine = platform.processor() or platform.machine()
    return {"machine": f"{machine}, {torch.get_num_threads()} threads, torch {torch.__version__}"}


def missing_kid_reason(extractor: FeatureExtractor | None, count: int) -> str:
    """Return why KID was not measured; empty where it was."""
    if extractor is None:
        return f"needs the package {PACKAGE}"
    return "" if count >= KID_MIN_IMAGES else f"needs {KID_MIN_IMAGES} pictures"
