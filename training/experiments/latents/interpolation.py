"""Interpolates between latents: linearly and spherically between two, spherically between four."""

from typing import Annotated, Any

import torch
import typer
from PIL import Image
from torch import Tensor

from training.common.image_grid import picture_grid, stack_grids
from training.evaluation.metrics.mobilenet import FeatureExtractor, load_extractor
from training.experiments.latents.contexts import (
    display_scale,
    generate_rows,
    generated_part,
    held_out_contexts,
    noise_kind,
)
from training.experiments.latents.paths import (
    MEANINGS,
    contrast,
    evenness,
    levels,
    linear,
    spherical,
    surface,
)
from training.experiments.output import write_result
from training.experiments.registry import Count, Data, Out, Run, Seed, Split, experiment
from training.runs.load_run import LoadedRun, load_run, moved_to

SHOWN = 3  # pairs
Steps = Annotated[
    int, typer.Option("--steps", min=3, help="Pictures on a path, both ends included.")
]


@experiment("interpolation")
def interpolation(
    run: Run,
    out: Out,
    *,
    data: Data = None,
    split: Split = None,
    count: Count = 16,
    steps: Steps = 9,
    seed: Seed = 0,
) -> None:
    """Interpolate between two latents and between four, and measure smoothness.

    COUNT pairs are measured, the first few shown. A conditional run keeps each pair's context and
    caption. Linear is in the space the network sees (uniform noise: the cube), spherical in
    the normal noise that every generator is given.
    """
    loaded = load_run(run, data=moved_to(data))
    kind = noise_kind(loaded)
    batch, captions = held_out_contexts(loaded, count, data, split, seed)
    start, end = loaded.noise(2 * count, seed).chunk(2)
    along = torch.linspace(0, 1, steps)
    paths = {
        "linear": linear(start, end, along, kind),
        "spherical": spherical(start, end, along),
    }
    images = {name: generate_rows(loaded, batch, path) for name, path in paths.items()}
    extractor = load_extractor()
    results = {
        "pairs": count,
        "steps": steps,
        "noise": kind,
        **{name: smoothness(loaded, path, extractor) for name, path in images.items()},
        "features": extractor.name if extractor else None,
        "meanings": MEANINGS | {"levels": "of 0 to 255, over what the generator makes"},
    }
    corners = torch.stack([start[0], end[0], start[1], end[1]])
    first = type(batch)(*(field[:1].expand(steps, *field.shape[1:]) for field in batch))
    square = generate_rows(loaded, first, surface(corners, along))
    picture = draw_interpolation(images, square, captions, display_scale(loaded))
    write_result(out, "interpolation", [loaded], results, picture)


def smoothness(
    run: LoadedRun, images: Tensor, extractor: FeatureExtractor | None
) -> dict[str, Any]:
    """Measure paths of pictures `(N, T, 3, S, S)` in levels and in features."""
    part = generated_part(run, images)
    facts = {"levels": evenness(part, levels), "contrast": contrast(part)}
    if extractor is not None:
        points = torch.unflatten(extractor(images.flatten(0, 1)), 0, images.shape[:2])
        facts["features"] = evenness(points, lambda first, second: (first - second).norm(dim=1))
    return facts


def draw_interpolation(
    images: dict[str, Tensor], square: Tensor, captions: list[str], scale: int
) -> Image.Image:
    """Draw a few pairs, linear above spherical, and under them the square between four."""
    shown = torch.stack([path[:SHOWN] for path in images.values()], dim=1).flatten(0, 1)
    labels = [
        f"pair {pair}, {name}  {caption}"
        for pair, caption in enumerate(captions[:SHOWN], start=1)
        for name in images
    ]
    corners = ["spherical between four: the ends of pair 1", *[""] * (len(square) - 2)]
    corners.append("the ends of pair 2")
    headings = [f"{t:.3g}" for t in torch.linspace(0, 1, shown.shape[1]).tolist()]
    return stack_grids(
        [
            picture_grid(dict(zip(headings, rows.unbind(1), strict=True)), texts, scale)
            for rows, texts in ((shown, labels), (square, corners))
        ]
    )
