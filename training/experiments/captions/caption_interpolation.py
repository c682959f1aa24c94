"""Interpolates between the captions of a fill, and measures how far the fill moves."""

from dataclasses import asdict
from itertools import pairwise
from typing import Annotated, Any

import torch
import typer
from PIL import Image
from torch import Tensor

from models.captions import CaptionEncoder
from training.common.errors import PreparedDataError, RunError
from training.common.image_grid import picture_grid
from training.data.batches import Batch
from training.data.manifest import Manifest
from training.evaluation.metrics.confidence import bootstrap_interval
from training.experiments.latents.contexts import (
    display_scale,
    generate_rows,
    generated_part,
    held_out_contexts,
)
from training.experiments.latents.paths import evenness, levels, spherical
from training.experiments.output import write_result
from training.experiments.registry import Count, Data, Out, Run, Seed, Split, experiment
from training.runs.data_record import DataRecord
from training.runs.load_run import LoadedRun, load_run, moved_to

SHOWN = 6  # contexts
DRAWS = 4  # of noise, that captions are compared with
AMPLIFIED = 8  # times, the change that is shown: a caption may move a fill by a few levels alone
MEANINGS = {
    "levels": "mean absolute difference over the hole, of 0 to 255",
    "from_start": "between each fill on the way and the first, the mean over the contexts",
    "steps": "between each fill on the way and the one before, the mean over the contexts",
    "way": "a context's steps summed; between its two ends; how even the steps are",
    "caption": "between the fills of the two sentences: mean and 95% interval over the contexts",
    "noise": (
        f"between fills of the first sentence with one noise and the next of {DRAWS} draws: mean"
        " and 95% interval over the contexts"
    ),
}
Steps = Annotated[int, typer.Option("--steps", min=3, help="Fills on a path, both ends included.")]
First = Annotated[
    str | None, typer.Option("--from", help="First sentence; each picture's own caption if none.")
]
Last = Annotated[
    str | None, typer.Option("--to", help="Last sentence; another picture's caption if none.")
]


@experiment("caption-path")
def caption_path(
    run: Run,
    out: Out,
    *,
    first: First = None,
    last: Last = None,
    data: Data = None,
    split: Split = None,
    count: Count = 64,
    steps: Steps = 7,
    seed: Seed = 0,
) -> None:
    """Interpolate between two sentences, context and noise fixed; measure how far the fill moves.

    Caption vectors follow great arcs of the unit sphere. COUNT contexts are
    measured, the first few shown.
    """
    loaded = load_run(run, data=moved_to(data))
    if loaded.unconditional:
        raise RunError(f"{loaded.name}: it makes whole pictures and reads no caption")
    batch, captions = held_out_contexts(loaded, count, data, split, seed)
    start = captions, batch.caption
    end = captions[1:] + captions[:1], batch.caption.roll(-1, dims=0)
    if first:
        start = same_sentence(loaded, first, count)
    if last:
        end = same_sentence(loaded, last, count)
    arcs = spherical(start[1], end[1], torch.linspace(0, 1, steps))
    images = generate_along_captions(loaded, batch, arcs, loaded.noise(count, seed))
    noises = torch.unflatten(loaded.noise(count * DRAWS, seed), 0, (count, DRAWS))
    other = generate_rows(loaded, batch._replace(caption=start[1]), noises)
    texts = start[0][:SHOWN], end[0][:SHOWN]
    results = {
        "contexts": count,
        "from": texts[0],
        "to": texts[1],
        **measure_moves(generated_part(loaded, images), generated_part(loaded, other)),
        "meanings": MEANINGS,
    }
    picture = draw_caption_path(images[:SHOWN], *texts, display_scale(loaded))
    write_result(out, "caption-path", [loaded], results, picture)


def same_sentence(run: LoadedRun, sentence: str, count: int) -> tuple[list[str], Tensor]:
    """Return a sentence `count` times, with its vector as the run's captions were embedded.

    Raises:
        EncoderError: the encoder is not available.
        PreparedDataError: the run's data are gone, or were embedded by another encoder.
    """
    encoder = encoder_of(run.run.any_data_record())
    return [sentence] * count, torch.from_numpy(encoder.encode([sentence])).expand(count, -1)


def encoder_of(prepared: Manifest | DataRecord) -> CaptionEncoder:
    """Load the encoder that a prepared folder's captions were embedded by.

    Raises:
        EncoderError: it is not available.
        PreparedDataError: the available encoder of its name is another one.
    """
    encoder = CaptionEncoder.load(prepared.encoder)
    if encoder.fingerprint != prepared.encoder_fingerprint:
        raise PreparedDataError(
            f"the captions were embedded by another {encoder.name} than is here"
        )
    return encoder


def generate_along_captions(
    run: LoadedRun, batch: Batch, captions: Tensor, noise: Tensor
) -> Tensor:
    """Fill each context with a row of captions `(N, T, caption_dim)`, noise `(N, D)` fixed.

    Returns uint8 `(N, T, 3, S, S)`.
    """
    columns = [
        generate_rows(run, batch._replace(caption=caption), noise[:, None])
        for caption in captions.unbind(1)
    ]
    return torch.cat(columns, dim=1)


def measure_moves(along: Tensor, noises: Tensor) -> dict[str, Any]:
    """Measure how far captions move fills `(N, T, 3, H, W)`, and how far noise does."""
    fills, draws = along.unbind(1), noises.unbind(1)
    by_noise = torch.stack([levels(one, next_one) for one, next_one in pairwise(draws)]).mean(0)
    return {
        "from_start": [float(levels(fills[0], fill).mean()) for fill in fills],
        "steps": [float(levels(one, next_one).mean()) for one, next_one in pairwise(fills)],
        "way": evenness(along, levels),
        "caption": asdict(bootstrap_interval(levels(fills[0], fills[-1]))),
        "noise": asdict(bootstrap_interval(by_noise)),
    }


def draw_caption_path(
    images: Tensor, starts: list[str], ends: list[str], scale: int
) -> Image.Image:
    """Draw contexts, a row each, with the sentences at both ends and the change last."""
    headings = [f"{t:.3g}" for t in torch.linspace(0, 1, images.shape[1]).tolist()]
    columns = dict(zip(headings, images.unbind(1), strict=True))
    difference = amplified_difference(images[:, 0], images[:, -1])
    columns[f"last - first, {AMPLIFIED} times"] = difference
    return picture_grid(columns, starts, scale, ends)


def amplified_difference(first: Tensor, last: Tensor) -> Tensor:
    """Show the difference of pictures, uint8 `(N, 3, S, S)`, amplified around mid-grey."""
    difference = last.float() - first.float()
    return (128 + AMPLIFIED * difference).clamp(0, 255).to(torch.uint8)
