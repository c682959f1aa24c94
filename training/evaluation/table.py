"""The table of one set: every method with its metrics, as JSON values and as Markdown."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from models.geometry import SIZE
from training.evaluation.benchmarks.context import EvalContext
from training.evaluation.methods import (
    NO_CAPTION,
    REAL,
    RESEEDED,
    TRUE_CAPTION,
    WRONG_CAPTION,
)
from training.evaluation.metrics.confidence import bootstrap_interval
from training.evaluation.metrics.definitions import DEFINITIONS
from training.evaluation.metrics.kid import KID_MIN_IMAGES, KID_SUBSET_SIZE, KID_SUBSETS
from training.evaluation.metrics.mobilenet import PACKAGE
from training.evaluation.metrics.pixels import l1_levels

# Key of a row -> heading, and decimals where the value is a number.
COLUMNS = {
    "method": ("method", None),
    "hole_psnr": ("hole-PSNR, dB ↑", 2),
    "l1": ("L1, levels ↓", 2),
    "ssim": ("SSIM ↑", 3),
    "kid": ("KID ×10³ ↓", None),
    "seam_ratio": ("seam ratio (1 = real)", 2),
    "milliseconds": ("ms an image", 2),
}
CAPTION_HEADINGS = (
    "true caption against",
    "fill moves, levels",
    "L1 gain",
    "feature-distance gain",
)
HOW_TO_READ = (
    "Another image's centre is the warning: real texture in the wrong place, which KID alone "
    "rewards and hole-PSNR sees through. With a blur it is the other way about, so read the two "
    "together. The row of the real pictures is what KID makes of no difference at all."
)


def build_table(context: EvalContext) -> dict[str, Any]:
    """Build the table of one set, as JSON values.

    Returns:
        `about`: bundle, data, counts, seed, extractor and machine; `rows`: one a method;
        `captions`: the true caption against a wrong one and against none; `seed_moves`: mean
        absolute difference in 8-bit levels between two fills that differ in their noise alone, to
        compare `fill_moves` with; `kid_missing`: why KID was not measured, empty where it was;
        `definitions` of the columns.
    """
    missing = "" if len(context.pictures) >= KID_MIN_IMAGES else f"needs {KID_MIN_IMAGES} pictures"
    return {
        "about": about(context),
        "rows": [table_row(context, method) for method in (*context.table_methods, REAL)],
        "captions": [caption_effect(context, other) for other in (WRONG_CAPTION, NO_CAPTION)],
        "seed_moves": fill_distance(context, RESEEDED),
        "kid_missing": missing if context.extractor else f"needs the package {PACKAGE}",
        "definitions": DEFINITIONS,
    }


def about(context: EvalContext) -> dict[str, str]:
    """Return what was measured with what, in words."""
    pictures, bundle = context.pictures, context.inpainter.engine.bundle
    same = sum(
        pictures.captions[other] == caption
        for other, caption in zip(pictures.mismatched.tolist(), pictures.captions, strict=True)
    )
    subset = min(KID_SUBSET_SIZE, len(pictures) // 2)
    features = {"features": "none"}
    if context.extractor:
        features = {
            "features": context.extractor.name,
            "features digest": context.extractor.digest,
            "KID subsets": f"{KID_SUBSETS} of {subset} pictures a side",
        }
    machine = platform.processor() or platform.machine()
    return {
        "bundle": bundle.config.name,
        "bundle digest": bundle.digest,
        "engine": context.inpainter.engine.name,
        "data": context.name,
        "data digest": context.prepared.digest,
        "pictures": f"{len(pictures)}, evenly spaced through {len(context.prepared)}, "
        f"central {SIZE}×{SIZE}",
        "captions": "the first of each picture; the wrong one is the first of another picture, "
        f"of another class where the data have classes ({same} read the same)",
        "seed": str(context.seed),
        **features,
        "machine": f"{machine}, {torch.get_num_threads()} threads, torch {torch.__version__}",
    }


def table_row(context: EvalContext, method: str) -> dict[str, Any]:
    """Return the metrics of a method; `None` where a figure has no meaning or is not measured.

    The real pictures are the floor of KID, and have a seam ratio of 1.
    """
    metrics, filled = context.metrics(method), method != REAL
    kid = metrics.kid
    return {
        "method": method,
        "hole_psnr": float(metrics.hole_psnr.mean()) if filled else None,
        "l1": float(metrics.l1.mean()) if filled else None,
        "ssim": float(metrics.ssim.mean()) if filled else None,
        "kid": asdict(kid) if kid else None,
        "seam_ratio": metrics.seam_ratio,
        "milliseconds": context.milliseconds.get(method),
    }


def caption_effect(context: EvalContext, other: str) -> dict[str, Any]:
    """Compare the true caption with the method `other`, paired by picture, the noise the same.

    Returns:
        `against`; `fill_moves`: mean absolute difference between the two fills, in 8-bit levels;
        `l1_gain` in levels and `feature_gain` in the distance of the composite's features to the
        real picture's, with 95% intervals: above 0 the true caption is better.
    """
    true, changed, feature_gain = context.metrics(TRUE_CAPTION), context.metrics(other), None
    distance, true_distance = changed.feature_distance, true.feature_distance
    if distance is not None and true_distance is not None:
        feature_gain = asdict(bootstrap_interval(distance - true_distance, context.seed))
    return {
        "against": other,
        "fill_moves": fill_distance(context, other),
        "l1_gain": asdict(bootstrap_interval(changed.l1 - true.l1, context.seed)),
        "feature_gain": feature_gain,
    }


def fill_distance(context: EvalContext, other: str) -> float:
    """Return the mean absolute difference to the fills with the true caption, in 8-bit levels."""
    return float(l1_levels(context.fills(TRUE_CAPTION), context.fills(other)).mean())


def table_markdown(table: dict[str, Any], heading: str) -> list[str]:
    """Return the paragraphs of a table; `heading` marks their headings, such as `##`."""
    headings = [text for text, _ in COLUMNS.values()]
    rows = [[cell(row, key, table["kid_missing"]) for key in COLUMNS] for row in table["rows"]]
    effects = [
        [
            effect["against"],
            f"{effect['fill_moves']:.2f}",
            gain_text(effect["l1_gain"]),
            gain_text(effect["feature_gain"]),
        ]
        for effect in table["captions"]
    ]
    return [
        markdown_table(headings, rows),
        HOW_TO_READ,
        f"{heading} What the caption does",
        markdown_table(CAPTION_HEADINGS, effects),
        "Gains are paired by picture with a bootstrap 95% interval; above 0 the true caption "
        f"is better. Another noise seed alone moves the fill by {table['seed_moves']:.2f} levels.",
        f"{heading} Definitions",
        "\n".join(f"- **{name}**: {text}." for name, text in table["definitions"].items()),
        f"{heading} Provenance",
        "\n".join(f"- {name}: {value}" for name, value in table["about"].items()),
    ]


def cell(row: dict[str, Any], key: str, kid_missing: str) -> str:
    """Return a cell of the table of methods."""
    value, (_, decimals) = row[key], COLUMNS[key]
    if key == "kid":
        return kid_text(value["mean"], value["spread"]) if value else f"not measured: {kid_missing}"
    if decimals is None:
        return str(value)
    return "–" if value is None else f"{value:.{decimals}f}"


def kid_text(mean: float, spread: float) -> str:
    """Return KID × 10³ with its standard deviation over the subsets."""
    return f"{1000 * mean:.2f} ± {1000 * spread:.2f}"


def gain_text(gain: dict[str, float] | None) -> str:
    """Return a gain with its interval."""
    return "{mean:+.3f} [{low:+.3f}, {high:+.3f}]".format(**gain) if gain else "not measured"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: texts to the left in the first column, numbers right in others."""
    align = ["---"] + ["---:"] * (len(headings) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, align, *rows))
