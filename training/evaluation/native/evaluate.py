"""`evaluate --native`: a bundle and the classical methods at the photos' own size."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from captionfill.imaging.codec import Pixels
from captionfill.inpainter import Inpainter
from captionfill.output_files import write_atomically
from models.runtime.bundle import load_bundle
from models.runtime.engines import load_engine
from training.common.console import StageProgress, no_progress
from training.common.image_grid import picture_grid, stack_grids, to_png
from training.common.output_files import check_result_files, write_error
from training.evaluation.evaluate import EvaluationSettings
from training.evaluation.methods import TELEA
from training.evaluation.metrics.kid import KID_MIN_IMAGES, kid
from training.evaluation.metrics.mobilenet import FeatureExtractor, load_extractor, normalize
from training.evaluation.native.measures import (
    fine_detail,
    region_psnr,
    seam_ratio,
    worst_tenth,
)
from training.evaluation.native.methods import (
    INTERPOLATED,
    METHODS,
    REAL,
    SURROUNDINGS,
    apply,
    draw_fills,
)
from training.evaluation.native.photos import NativePhoto, plain_patches, read_photos
from training.evaluation.table import markdown_table

PLAIN_PATCHES = 100
GRID_PHOTOS, GRID_SIDE = 24, 192
KID_SIDE = 256  # pixels of the windows that KID sees
COLUMNS = {
    "seam": "seam, × the real one",
    "seam_worst_tenth": "worst tenth",
    "detail_of_surroundings": "fine detail, × the surroundings'",
    "detail_of_real": "× the real one",
    "psnr": "PSNR, dB",
    "kid": f"KID at {KID_SIDE} pixels",
    "milliseconds": "ms a photo",
}


def evaluate_native(
    bundle_folder: Path,
    places: Sequence[Path],
    out_json: Path,
    settings: EvaluationSettings,
    progress: StageProgress = no_progress,
) -> str:
    """Fill the central half of photos and measure the composites; return Markdown.

    Args:
        bundle_folder: of the bundle.
        places: folders or archives of photos, with `metadata.jsonl` or `metadata.csv`.
        out_json: result; Markdown (`.md`) and pictures (`.png`) are written beside it.
        settings: `limit`, `seed` and `engine` are used.
        progress: called for each method.

    Raises:
        EvaluationError, SourceError: photos cannot be used.
        BundleError: no such bundle, or it is damaged.
        RunError: the results cannot be written.
    """
    check_result_files(out_json)
    inpainter = Inpainter(load_engine(load_bundle(bundle_folder), settings.engine))
    sets = [(place, read_photos(place, settings.limit)) for place in places]
    extractor = load_extractor()
    tables, grids = [], []
    for place, photos in sets:
        fills = draw_fills(inpainter, photos, settings.seed)
        table, grid = measure(photos, fills, extractor, progress)
        patches = plain_patches(photos, PLAIN_PATCHES)
        plain = measure_plain(patches, draw_fills(inpainter, patches, settings.seed))
        name = f"{place.absolute().parent.name}/{place.name}"
        tables.append({"data": name, "photos": len(photos), "methods": table, "plain": plain})
        grids.append(grid)
    report = {"bundle": inpainter.digest, "seed": settings.seed, "sets": tables}
    text = to_markdown(report)
    try:
        write_atomically(out_json, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        write_atomically(out_json.with_suffix(".md"), text)
        write_atomically(out_json.with_suffix(".png"), to_png(stack_grids(grids)))
    except OSError as error:
        raise write_error(out_json, error) from error
    return text


def measure(
    photos: list[NativePhoto],
    fills: list[Pixels],
    extractor: FeatureExtractor | None,
    progress: StageProgress = no_progress,
) -> tuple[dict[str, dict[str, float]], Image.Image]:
    """Measure every method on photos; also draw the first of them, unpicked."""
    originals = [one.canvas.picture.rgb for one in photos]
    real = _features(extractor, photos, originals)
    table, columns = {}, {"input": _windows(photos, _hidden(photos), GRID_SIDE)}
    for done, (name, method) in enumerate({**METHODS, REAL: None}.items()):
        filled, milliseconds = apply(method, photos, fills) if method else (originals, 0.0)
        table[name] = _figures(photos, filled) | {"milliseconds": milliseconds}
        features = _features(extractor, photos, filled) if method else None
        if real is not None and features is not None:
            table[name]["kid"] = kid(features, real).mean
        if name in (INTERPOLATED, SURROUNDINGS, TELEA, REAL):
            columns[name] = _windows(photos, filled, GRID_SIDE)
        progress("methods at native size", done + 1, len(METHODS) + 1)
    first = {name: column[:GRID_PHOTOS] for name, column in columns.items()}
    return table, picture_grid(first, [one.caption for one in photos[:GRID_PHOTOS]], scale=1)


def measure_plain(patches: list[NativePhoto], fills: list[Pixels]) -> dict[str, float]:
    """Return the mean PSNR in dB of plain patches by method; empty without patches."""
    if not patches:
        return {}
    found: dict[str, float] = {"patches": len(patches)}
    for name in (INTERPOLATED, SURROUNDINGS, TELEA):
        filled, _ = apply(METHODS[name], patches, fills)
        values = [
            region_psnr(image, one.canvas.picture.rgb, one.canvas.region)
            for image, one in zip(filled, patches, strict=True)
        ]
        found[name] = float(np.mean(values))
    return found


def _figures(photos: list[NativePhoto], filled: list[Pixels]) -> dict[str, float]:
    """Return the figures of one method but KID: means over photos; of detail, ratios of means."""
    rows = []
    for one, image in zip(photos, filled, strict=True):
        real, region = one.canvas.picture.rgb, one.canvas.region
        rows.append([
            seam_ratio(image, real, region), *fine_detail(image, region),
            fine_detail(real, region)[0], region_psnr(image, real, region),
        ])  # fmt: skip
    seam, detail, around, real_detail, psnr = np.array(rows).T
    return {
        "seam": float(seam.mean()),
        "seam_worst_tenth": worst_tenth(seam),
        "detail_of_surroundings": float(detail.mean() / around.mean()),
        "detail_of_real": float(detail.mean() / real_detail.mean()),
        "psnr": float(psnr.mean()),
    }


def _features(
    extractor: FeatureExtractor | None, photos: list[NativePhoto], images: list[Pixels]
) -> Tensor | None:
    if extractor is None or len(photos) < KID_MIN_IMAGES:
        return None
    windows = _windows(photos, images, KID_SIDE)
    with torch.inference_mode():
        batches = [extractor.network(normalize(one, KID_SIDE)) for one in windows.split(16)]
    return torch.cat(batches)


def _windows(photos: list[NativePhoto], images: list[Pixels], side: int) -> Tensor:
    """Cut the part of each window that lies in the photo, `(N, 3, side, side)`."""
    cut = []
    for one, image in zip(photos, images, strict=True):
        left, top, size = one.canvas.region.window
        height, width, _ = image.shape
        box = max(0, left), max(0, top), min(width, left + size), min(height, top + size)
        resized = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC, box)
        cut.append(torch.from_numpy(np.array(resized)).permute(2, 0, 1))
    return torch.stack(cut)


def _hidden(photos: list[NativePhoto]) -> list[Pixels]:
    """The photos with a grey hole."""
    images = [one.canvas.picture.rgb.copy() for one in photos]
    for one, image in zip(photos, images, strict=True):
        image[one.canvas.region.place] = 128
    return images


def to_markdown(report: dict[str, Any]) -> str:
    """Return a table for each set of photos."""
    parts = ["# Evaluation at native size"]
    for one in report["sets"]:
        rows = [
            [name, *(f"{figures[key]:#.3g}" if key in figures else "–" for key in COLUMNS)]
            for name, figures in one["methods"].items()
        ]
        parts += [f"## {one['data']}, {one['photos']} photos",
                  markdown_table(["method", *COLUMNS.values()], rows)]  # fmt: skip
        if plain := dict(one["plain"]):
            title = f"PSNR of {plain.pop('patches')} plain patches of 48×48 pixels, dB"
            values = "; ".join(f"{name} {value:.2f}" for name, value in plain.items())
            parts.append(f"{title}: {values}.")
    return "\n\n".join(parts) + "\n"
