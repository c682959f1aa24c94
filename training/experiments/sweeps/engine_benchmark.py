"""Times each engine with a bundle, and compares its fills with those of torch."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor

from models.geometry import hole_mask, paste
from models.runtime.bundle import load_bundle
from models.runtime.engine import Engine
from models.runtime.engines import load_engine
from training.common.console import print_stderr
from training.common.image_grid import picture_grid
from training.data.memory_dataset import load_split
from training.evaluation.dataset import EvaluationSet, select_pictures
from training.experiments.output import write_result
from training.experiments.registry import Count, Out, Seed, experiment

ENGINES = ("torch", "openvino-f32", "openvino")
TORCH = "torch"
ROUNDS, WARM_UP = 100, 5
SHOWN = 12
# Makes differences of one or two levels visible.
ENLARGED = 32


@experiment("engines")
def engines(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: Annotated[Path, typer.Option("--data", help="A folder that prepare wrote.")],
    out: Out = Path("engines.json"),
    split: Annotated[str, typer.Option(help="Its split.")] = "dev",
    count: Count = 200,
    seed: Seed = 0,
) -> None:
    """Fill the same pictures by every engine, one thread and one picture at a time, in turn."""
    torch.set_num_threads(1)
    loaded = load_bundle(bundle)
    ready = {engine.name: engine for engine in (load_engine(loaded, kind) for kind in ENGINES)}
    pictures = select_pictures(
        load_split(data, split, encoder_fingerprint=loaded.config.encoder_fingerprint), count, seed
    )
    seeds = list(range(seed, seed + len(pictures)))
    pixels, vectors = pictures.pixels.numpy(), pictures.vectors.numpy()
    fills = {n: torch.from_numpy(e.fill(pixels, vectors, seeds)) for n, e in ready.items()}
    results: dict[str, Any] = {
        "bundle": loaded.digest,
        "pictures": len(pictures),
        "distance": {n: distance(fills[n], fills[TORCH]) for n in ready if n != TORCH},
    }

    def one(number: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        row = slice(number % len(pictures), number % len(pictures) + 1)
        return pixels[row], vectors[row]

    def fill_one(engine: Engine, number: int) -> object:
        return engine.fill(*one(number), [seed + number])

    def score_one(engine: Engine, number: int) -> object:
        return engine.score(*one(number))

    results["fill"] = time_in_turn({n: partial(fill_one, e) for n, e in ready.items()})
    if loaded.scorer is not None:
        results["score"] = time_in_turn({n: partial(score_one, e) for n, e in ready.items()})
    for name in ready:
        figures = [results[part].get(name, {}) for part in ("fill", "distance")]
        print_stderr(f"{name}: {figures[0]} {figures[1]}")
    write_result(out, "engines", [], results, comparison_grid(pictures, fills))


def distance(fills: Tensor, right: Tensor) -> dict[str, float]:
    """Return the distance of fills, uint8 `(N, 3, 32, 32)`, to the right ones, in 8-bit levels."""
    levels = (fills.int() - right.int()).abs()
    each = levels.float().mean((1, 2, 3))
    mean, worst = float(each.mean()), float(each.max())
    return {"mean": round(mean, 6), "worst_picture": round(worst, 6), "max": int(levels.max())}


def time_in_turn(functions: Mapping[str, Callable[[int], object]]) -> dict[str, dict[str, float]]:
    """Time several functions in turn, round by round.

    Returns:
        For each the median milliseconds of a round, by the clock (`ms`) and of this process's own
        computing (`cpu_ms`, which other work on the machine disturbs less; and its 10th
        percentile), and how many times as fast as torch it is in the median of the rounds, by
        computing, with the 10th and the 90th percentile.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for number in range(ROUNDS + WARM_UP):
        for name, function in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function(number)
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    measured = {name: 1000 * np.array(rows)[WARM_UP:].T for name, rows in times.items()}
    found = {}
    for name, (walls, cpus) in measured.items():
        low, ratio, high = np.percentile(measured[TORCH][1] / cpus, [10, 50, 90])
        figures = {
            "ms": np.median(walls),
            "cpu_ms": np.median(cpus),
            "cpu_ms_p10": np.percentile(cpus, 10),
            "times_torch": ratio,
            "p10": low,
            "p90": high,
        }
        found[name] = {key: round(float(figure), 3) for key, figure in figures.items()}
    return found


def comparison_grid(pictures: EvaluationSet, fills: Mapping[str, Tensor]) -> Any:
    """Lay out the first pictures as each engine fills them, and the differences, enlarged."""
    rows = {name: paste(pictures.pixels, hole_mask(), fill) for name, fill in fills.items()}
    for name, fill in fills.items():
        if name != TORCH:
            levels = (fill.int() - fills[TORCH].int()).abs() * ENLARGED
            black = torch.zeros_like(pictures.pixels)
            difference = paste(black, hole_mask(), levels.clamp(max=255).byte())
            rows[f"{name}: difference, {ENLARGED} times"] = difference
    return picture_grid({name: row[:SHOWN] for name, row in rows.items()})
