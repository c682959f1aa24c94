"""Vector arithmetic on means of three latents (Radford, Metz & Chintala 2015, §6.3.2, Figure 7)."""

from typing import Annotated, Any

import torch
import typer
from PIL import Image
from torch import Tensor

from training.common.errors import RunError
from training.experiments.latents.attributes import Scale, Signs, attributes, has_signs
from training.experiments.latents.contexts import (
    display_scale,
    generate_rows,
    generated_part,
    held_out_contexts,
    noise_dim,
    noise_kind,
)
from training.experiments.latents.latent_sums import TERMS, THREE, Sums, add_up, jitter, triples
from training.experiments.latents.smoothness import euclidean
from training.experiments.output import write_result
from training.experiments.registry import Count, Data, Out, Run, Seed, Split, experiment
from training.metrics.mobilenet import load_extractor
from training.reporting.image_grid import picture_grid, stack_grids
from training.runs.load_run import LoadedRun, load_run, moved_to

EXPECTED = Signs(1, -1)
SHOWN = 3  # rounds
WHITE = 255
MAX_NEIGHBOURS = 512  # pictures of the draw, of which half are neighbours
RULE = (
    "of a large draw, the three groups are the pictures that are most clearly bright and warm,"
    " dark and warm, dark and cold: brightness is mean luma, warmth mean red less mean blue, both"
    " in standard deviations from the draw's median, and a picture ranks by its weaker one; round"
    " r (from 0) takes ranks 3r to 3r + 2 of each. Expected of mean(bright warm) - mean(dark warm)"
    " + mean(dark cold): a bright cold picture, brighter and colder than the median"
)
MEANINGS = {
    "met": "share of the results that are as expected",
    "met_by_chance": "share of the draw that is",
    "attributes": "mean brightness and warmth in standard deviations from the draw's median",
    "clipped": "share of the values that are 0 or 255",
    "nearest": (
        "distance in features to the nearest of at most 256 other pictures drawn, the mean; what is"
        " further away than the draw itself looks like nothing the generator makes"
    ),
    "pixels": "the same sums on the mean pictures, clipped: there attributes add up by nature",
}
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Triples that are measured.")]
Jitter = Annotated[float, typer.Option("--jitter", min=0, help="Most that is added around it.")]


@experiment("arithmetic")
def arithmetic(
    run: Run,
    out: Out,
    *,
    data: Data = None,
    split: Split = None,
    count: Count = 1024,
    rounds: Rounds = 16,
    jittered: Jitter = 0.25,
    seed: Seed = 0,
) -> None:
    """Add and subtract means of three latents, and measure whether the result is as expected.

    COUNT pictures are drawn to choose the groups from. A conditional run keeps one context.
    """
    if count < 4 * THREE * rounds:
        raise RunError(f"{rounds} rounds need a draw of at least {4 * THREE * rounds}, not {count}")
    loaded = load_run(run, data=moved_to(data))
    length, kind = noise_dim(loaded), noise_kind(loaded)
    scene, _ = held_out_contexts(loaded, 1, data, split, seed)

    def make(noise: Tensor) -> Tensor:
        return generate_rows(loaded, scene, noise[None])[0]

    noise = loaded.noise(count, seed)
    pictures = make(noise)
    measured = attributes(generated_part(loaded, pictures))
    scale = Scale.of(measured)
    standard = scale.standard(measured)
    chosen = triples(standard, rounds)
    around = jitter(rounds, length, jittered, seed)
    sums = add_up(make, noise, pictures, chosen, kind=kind, around=around)
    results = {
        "drawn": count,
        "rounds": rounds,
        "noise": kind,
        "jitter": jittered,
        "rule": RULE,
        "met_by_chance": float(has_signs(standard, EXPECTED).double().mean()),
        "groups": {
            term.name: standard[chosen[:, i].flatten()].mean(0).tolist()
            for i, term in enumerate(TERMS)
        },
        **measure_sums(loaded, sums, pictures, scale),
        "meanings": MEANINGS,
    }
    write_result(out, "arithmetic", [loaded], results, draw_arithmetic(loaded, sums))


def measure_sums(run: LoadedRun, sums: Sums, drawn: Tensor, scale: Scale) -> dict[str, Any]:
    """Measure results, their neighbours, and what pixels give instead."""
    kinds = {"latents": sums.middles, "jittered": sums.jittered, "pixels": sums.pixels}
    facts = {
        name: measure_attributes(generated_part(run, pictures), scale)
        for name, pictures in kinds.items()
    }
    extractor = load_extractor()
    if extractor is not None:
        own, others = extractor(drawn[:MAX_NEIGHBOURS]).chunk(2)
        for name, pictures in kinds.items():
            facts[name]["nearest"] = nearest(extractor(pictures), others)
        facts["draw"] = {"nearest": nearest(own, others)}
    return facts


def measure_attributes(part: Tensor, scale: Scale) -> dict[str, Any]:
    """Return the share of pictures `(N, 3, H, W)` that are as expected, and their attributes."""
    standard = scale.standard(attributes(part))
    return {
        "met": float(has_signs(standard, EXPECTED).double().mean()),
        "attributes": standard.mean(0).tolist(),
        "clipped": float(((part == 0) | (part == 255)).double().mean()),
    }


def nearest(features: Tensor, world: Tensor) -> float:
    """Return how far rows `(N, D)` are from their nearest of `(M, D)`, the mean."""
    closest = torch.cdist(features, world).argmin(1)
    return float(euclidean(features, world[closest]).mean())


def draw_arithmetic(run: LoadedRun, sums: Sums) -> Image.Image:
    """Draw the first rounds, each four rows: three samples and what the mean latent makes."""
    scale = display_scale(run)
    return stack_grids(
        [
            picture_grid(columns(sums, row), labels(row), scale)
            for row in range(min(SHOWN, len(sums.means)))
        ]
    )


def columns(sums: Sums, row: int) -> dict[str, Tensor]:
    """Return a round's columns: the groups, the 3×3 of the result, and the sum in pixels."""
    blank = torch.full_like(sums.pixels[row], WHITE)
    laid = {
        f"{sign} {term.name}": torch.cat([samples, mean[None]])
        for sign, term, samples, mean in zip(
            "+-+", TERMS, sums.groups[row], sums.means[row], strict=True
        )
    }
    square = torch.unflatten(sums.results[row], 0, (3, 3))
    for place, heading in enumerate(["= jittered", "result in the middle", "jittered "]):
        laid[heading] = torch.cat([square[:, place], blank[None]])
    laid["in pixels"] = torch.stack([blank, sums.pixels[row], blank, blank])
    return laid


def labels(row: int) -> list[str]:
    """Return the texts of a round's rows."""
    return [f"round {row + 1}: three of each", "", "", "made of their mean latent"]
