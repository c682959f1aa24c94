"""Classifies CIFAR-10 by a discriminator's features, which were trained on other pictures."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from torch import Tensor

from models.discriminator_outputs import Reconstruction
from models.geometry import to_float
from training.evaluation.metrics.confidence import bootstrap_interval
from training.experiments.drawing import style_axes
from training.experiments.output import write_result
from training.experiments.probes.features import (
    CODE,
    FEATURES,
    draw_cifar10,
    extract_features,
    fresh_discriminator,
)
from training.experiments.probes.linear_probe import PROBE, ProbeResult, probe
from training.experiments.registry import Out, Run, Seed, experiment
from training.runs.load_run import load_run

Cifar = Annotated[
    Path, typer.Option("--cifar10", help="CIFAR-10, folder or archive, as prepare reads it.")
]
Train = Annotated[int, typer.Option("--train", min=200, help="Pictures to fit to.")]
Test = Annotated[int, typer.Option("--test", min=50, help="Pictures to test on.")]

LEARNT, RANDOM, PIXELS = "discriminator", "random discriminator", "raw pixels"
MEANINGS = {
    "probe": PROBE,
    RANDOM: "the same network with freshly drawn weights, all else alike",
    "gain": "difference of accuracy on the same test pictures, with its 95% bootstrap interval",
}


@experiment("discriminator-features")
def discriminator_features(
    run: Run,
    *,
    cifar10: Cifar,
    out: Out,
    train: Train = 10_000,
    test: Test = 2_000,
    seed: Seed = 0,
) -> None:
    """Classify CIFAR-10 by a discriminator's features and a linear SVM.

    Radford et al. 2015, §5.1, for a discriminator trained on other pictures; beside raw pixels and
    the same discriminator with random weights. Pictures are scaled to the run's size.
    """
    loaded = load_run(run)
    size = loaded.recipe.picture.size
    sets = draw_cifar10(cifar10, {"train": train, "test": test}, size, seed)
    dim = loaded.run.any_data_record().caption_dim
    fresh = fresh_discriminator(loaded, seed)
    features: dict[str, Callable[[Tensor], Tensor]] = {
        LEARNT: lambda pixels: extract_features(loaded.discriminator, pixels, dim),
        RANDOM: lambda pixels: extract_features(fresh, pixels, dim),
        PIXELS: lambda pixels: to_float(pixels).flatten(1),
    }
    probed = {}
    for name, extract in features.items():
        fit, held_out = (extract(sets[split].pixels).numpy() for split in ("train", "test"))
        labels = sets["train"].labels, sets["test"].labels
        probed[name] = probe(fit, labels[0], held_out, labels[1], seed)
    is_code = loaded.discriminator.output_type is Reconstruction
    commonest = np.unique(sets["test"].labels, return_counts=True)[1].max()
    results = {
        "train": train,
        "test": test,
        "chance": float(commonest / test),
        "rows": {name: result.to_dict() for name, result in probed.items()},
        "gain": {other: gain(probed[LEARNT], probed[other], seed) for other in (RANDOM, PIXELS)},
        "definitions": {LEARNT: CODE if is_code else FEATURES, **MEANINGS},
    }
    write_result(out, "discriminator-features", [loaded], results, draw_accuracies(results))


def gain(first: ProbeResult, second: ProbeResult, seed: int) -> dict[str, float]:
    """Return how much more accurate the first is, with its interval."""
    difference = first.right.astype(float) - second.right.astype(float)
    return asdict(bootstrap_interval(torch.from_numpy(difference), seed))


def draw_accuracies(results: dict[str, Any]) -> Figure:
    """Draw the accuracies with their intervals, and chance."""
    figure = Figure(figsize=(6, 2.6), layout="constrained")
    axes = figure.subplots()
    rows = results["rows"]
    names = [f"{name} ({row['dimensions']:,})" for name, row in rows.items()]
    values, low, high = (
        np.array([row[end] for row in rows.values()]) for end in ("accuracy", "low", "high")
    )
    errors = [values - low, high - values]
    bars = axes.barh(names, values, xerr=errors, capsize=3, color=["C0", "C7", "C7"])
    axes.bar_label(bars, [f"{value:.1%}" for value in values], padding=14, fontsize=9)
    axes.axvline(results["chance"], color="k", lw=0.8, ls=":")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(values))
    style_axes(axes, "CIFAR-10 by a linear SVM (features, dotted: chance)", "test accuracy, 95%")
    return figure
