"""Vector arithmetic on means of three latents (Radford, Metz & Chintala 2015, §6.3.2, Figure 7)."""

from typing import Annotated, Any

import torch
import typer
from PIL import Image
from torch import Tensor

from training.common.errors import RunError
from training.common.image_grid import picture_grid, stack_grids
from training.evaluation.metrics.mobilenet import load_extractor
from training.experiments.latents.contexts import (
    display_scale,
    generate_rows,
    generated_part,
    held_out_contexts,
    noise_kind,
)
from training.experiments.latents.latent_sums import (
    EXPECTED,
    TERMS,
    THREE,
    Sums,
    add_up,
    attributes,
    jitter,
    share_with_signs,
    standardise,
    triples,
)
from training.experiments.output import write_result
from training.experiments.registry import Count, Data, Out, Run, Seed, Split, experiment
from training.runs.load_run import LoadedRun, load_run, moved_to

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
    kind = noise_kind(loaded)
    context, _ = held_out_contexts(loaded, 1, data, split, seed)

    def make(noise: Tensor) -> Tensor:
        return generate_rows(loaded, context, noise[None])[0]

    noise = loaded.noise(count, seed)
    pictures = make(noise)
    drawn = attributes(generated_part(loaded, pictures))
    standard = standardise(drawn, drawn)
    chosen = triples(standard, rounds)
    around = jitter(rounds, noise.shape[1], jittered, seed)
    sums = add_up(make, noise, pictures, chosen, kind=kind, around=around)
    results = {
        "drawn": count,
        "rounds": rounds,
        "noise": kind,
        "jitter": jittered,
        "rule": RULE,
        "met_by_chance": share_with_signs(standard, EXPECTED),
        "groups": {
            term.name: standard[chosen[:, i].flatten()].mean(0).tolist()
            for i, term in enumerate(TERMS)
        },
        **measure_sums(loaded, sums, pictures, drawn),
        "meanings": MEANINGS,
    }
    write_result(out, "arithmetic", [loaded], results, draw_arithmetic(sums, display_scale(loaded)))


def measure_sums(run: LoadedRun, sums: Sums, pictures: Tensor, drawn: Tensor) -> dict[str, Any]:
    """Measure results, their neighbours, and what pixels give instead."""
    kinds = {"latents": sums.middles, "jittered": sums.jittered, "pixels": sums.pixels}
    facts: dict[str, Any] = {}
    for name, made in kinds.items():
        part = generated_part(run, made)
        standard = standardise(attributes(part), drawn)
        facts[name] = {
            "met": share_with_signs(standard, EXPECTED),
            "attributes": standard.mean(0).tolist(),
            "clipped": float(((part == 0) | (part == 255)).double().mean()),
        }
    extractor = load_extractor()
    if extractor is not None:
        own, others = extractor(pictures[:MAX_NEIGHBOURS]).chunk(2)
        for name, made in kinds.items():
            facts[name]["nearest"] = mean_distance_to_nearest(extractor(made), others)
        facts["draw"] = {"nearest": mean_distance_to_nearest(own, others)}
    return facts


def mean_distance_to_nearest(features: Tensor, others: Tensor) -> float:
    """Return the mean distance of rows `(N, D)` to their nearest of `(M, D)`."""
    closest = torch.cdist(features, others).argmin(1)
    return float((features - others[closest]).norm(dim=1).mean())


def draw_arithmetic(sums: Sums, scale: int) -> Image.Image:
    """Draw the first rounds, each four rows: three samples and what the mean latent makes."""
    labels = ["round {}: three of each", "", "", "made of their mean latent"]
    return stack_grids(
        [
            picture_grid(columns(sums, row), [text.format(row + 1) for text in labels], scale)
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
