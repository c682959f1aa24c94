"""The effect of captions on fills: true, none, shuffled, and near misses of one word."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
import typer
from PIL import Image
from torch import Tensor

from models.geometry import hide, hole_mask, paste, to_float, to_uint8
from training.common.console import print_stderr
from training.common.errors import RunError
from training.common.image_grid import picture_grid
from training.data.manifest import TRAIN, Manifest
from training.data.memory_dataset import PreparedSplit
from training.evaluation.metrics.image_metrics import ExtractFeatures
from training.evaluation.metrics.mobilenet import require_extractor
from training.evaluation.table import markdown_table
from training.experiments.captions.caption_interpolation import (
    AMPLIFIED,
    amplified_difference,
    encoder_of,
)
from training.experiments.captions.caption_moves import (
    DEFINITIONS,
    colour_change,
    direction_figures,
    directions,
    feature_change,
    measure_response,
    respond,
)
from training.experiments.captions.caption_pairs import (
    COLOUR,
    NO_CAPTION,
    OBJECT,
    SHUFFLED,
    Pairing,
    pairings,
)
from training.experiments.captions.word_swaps import COLOURS, OBJECTS
from training.experiments.comparison.runs import (
    FillRun,
    Which,
    data_folder,
    fill_function,
    load_inpainting_run,
    load_shared_split,
)
from training.experiments.output import format_interval, write_result, write_table
from training.experiments.registry import Count, Data, Out, Run, Seed, Split, experiment
from training.runs.load_run import NEWEST

Rows = Annotated[int, typer.Option(min=1, help="Rows of the picture, each kind of word half.")]

CHANGED = "changed caption"

HEADINGS = (
    "other caption",
    "pictures",
    "fill moves, levels",
    "other noise moves it",
    "fill moves, features",
    "other noise moves it",
    "L1 gain, levels",
    "feature gain",
    "colour right",
    "ΔE that way",
    "direction right",
    "share of the way",
)


@experiment("caption-effect")
def caption_effect(
    run: Run,
    out: Out,
    data: Data = None,
    split: Split = None,
    count: Count = 500,
    seed: Seed = 0,
    which: Which = NEWEST,
    rows: Rows = 12,
) -> None:
    """Compare the true caption with none, another picture's, and ones with one word changed.

    Measures how far the fill moves, compared with other noise, and whether in the right direction.
    """
    loaded = load_inpainting_run(run, which, data)
    folder = data_folder([loaded], data)
    if (split or Manifest.load(folder).validation_split) == TRAIN:
        raise RunError("the directions of words come from the train split: evaluate on another")
    held_out, train = (load_shared_split([loaded], folder, name) for name in (split, TRAIN))
    extract, fill = require_extractor(), fill_function(loaded)
    encoder = encoder_of(held_out.manifest)
    pairs = pairings(held_out, count, seed, lambda x: torch.from_numpy(encoder.encode(x)))
    results = effects(pairs, train, fill, extract, seed)
    about = {
        "data": f"{held_out.manifest.source}, {held_out.digest}",
        "pictures": f"{count} at most, evenly spaced through {len(held_out)}",
        "seed": seed,
        "features": extract.name,
        "words": {COLOUR: COLOURS, OBJECT: OBJECTS},
        "definitions": DEFINITIONS,
    }
    picture = caption_grid(pairs, fill, seed, rows)
    write_result(out, "caption-effect", [loaded], {"captions": results, **about}, picture)
    write_table(out, effect_table(results))


def effects(
    pairs: Sequence[Pairing],
    train: PreparedSplit,
    fill: FillRun,
    extract: ExtractFeatures,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Measure the effect of each kind of other caption, by its name.

    The directions of words are found in `train`, pictures that are not evaluated.
    """
    swaps = {swap for pairing in pairs for swap in pairing.swaps}
    print_stderr(
        f"finding the directions of {len(swaps)} changes of a word in {len(train)} pictures"
    )
    vectors = directions(train, swaps, extract)
    found = {}
    for pairing in pairs:
        print_stderr(f"{pairing.name}: {len(pairing)} pictures")
        response = respond(pairing, fill, seed)
        found[pairing.name] = measure_response(response, extract, seed)
        if pairing.name == COLOUR:
            figures = direction_figures(colour_change(response), pairing.swaps, seed)
            found[pairing.name]["colour"] = figures
        change, known = feature_change(response, vectors, extract)
        if known:
            found[pairing.name]["direction"] = direction_figures(change, known, seed)
    return found


def effect_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures as a Markdown table with 95% intervals."""
    return markdown_table(HEADINGS, [_cells(*item) for item in results.items()])


def _cells(name: str, figures: Mapping[str, Any]) -> list[str]:
    cells = [name, str(figures["pictures"])]
    for unit in ("levels", "features"):
        cells += [format_interval(figures[moved][unit]) for moved in ("fill_moves", "noise_moves")]
    cells += [format_interval(figures["gain"][unit], 3) for unit in ("levels", "features")]
    for way in ("colour", "direction"):
        if way in figures:
            right, change = figures[way]["right"], figures[way]["change"]
            cells += [format_interval(right), format_interval(change, 3)]
        else:
            cells += ["–", "–"]
    return cells


def caption_grid(pairs: Sequence[Pairing], fill: FillRun, seed: int, rows: int) -> Image.Image:
    """Show each kind of near miss, evenly spaced and unpicked, with its words at the left.

    Where no caption has a word of the tables, another picture's whole caption is the change.
    """
    misses = [pairing for pairing in pairs if pairing.swaps]
    shown = misses or [pairing for pairing in pairs if pairing.name == SHUFFLED]
    # Each kind begins elsewhere: most pictures have near misses of both kinds.
    parts = [
        pairing.some(-(-rows // len(shown)), begin=place / len(shown))
        for place, pairing in enumerate(shown)
    ]
    columns = [_columns(part, fill, seed) for part in parts]
    labels = [text for part in parts for text in _labels(part)]
    return picture_grid(
        {name: torch.cat([one[name] for one in columns]) for name in columns[0]}, labels
    )


def _columns(pairing: Pairing, fill: FillRun, seed: int) -> dict[str, Tensor]:
    pixels, vectors, hole = pairing.pixels, pairing.vectors, hole_mask()
    variants = {
        "true caption": (vectors, seed),
        "other noise": (vectors, seed + 1),
        NO_CAPTION: (torch.zeros_like(vectors), seed),
        SHUFFLED: (vectors.roll(1, dims=0), seed),
        CHANGED: (pairing.other_vectors, seed),
    }
    composites = {
        name: paste(pixels, hole, fill(pixels, caption, noise))
        for name, (caption, noise) in variants.items()
    }
    change = amplified_difference(composites["true caption"], composites[CHANGED])
    return {
        "context": to_uint8(hide(to_float(pixels), hole)),
        **composites,
        f"changed - true, {AMPLIFIED} times": change,
        "real": pixels,
    }


def _labels(pairing: Pairing) -> list[str]:
    """Return each picture's captions: the words that change first, then the true one's text."""
    before = [f"[{old} to {new}] " for old, new in pairing.swaps] or [""] * len(pairing)
    shuffled = [pairing.captions[-1], *pairing.captions[:-1]]
    return [
        f"{words}{text} [shuffled: {other}]"
        for words, text, other in zip(before, pairing.captions, shuffled, strict=True)
    ]
