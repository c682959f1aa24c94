"""Classifies CIFAR-10 by a discriminator's features, which were trained on other pictures."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from torch import nn

from models.geometry import to_float
from training.experiments.drawing import style_axes
from training.experiments.output import write_result
from training.experiments.probes.labelled import Labelled, draw_cifar10
from training.experiments.probes.learnt_features import (
    caption_dim,
    describe,
    extract_features,
    fresh_discriminator,
)
from training.experiments.probes.linear_probe import PROBE, ProbeResult, probe
from training.experiments.registry import Out, Run, Seed, experiment
from training.metrics.confidence import bootstrap_interval
from training.runs.load_run import LoadedRun, load_run

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
    fresh = fresh_discriminator(loaded, seed)
    probed = {
        LEARNT: probed_features(sets, loaded, loaded.discriminator, seed),
        RANDOM: probed_features(sets, loaded, fresh, seed),
        PIXELS: probed_pixels(sets, seed),
    }
    results = {
        "train": train,
        "test": test,
        "chance": chance(sets["test"]),
        "rows": {name: result.to_dict() for name, result in probed.items()},
        "gain": {other: gain(probed[LEARNT], probed[other], seed) for other in (RANDOM, PIXELS)},
        "definitions": {LEARNT: describe(loaded.discriminator), **MEANINGS},
    }
    write_result(out, "discriminator-features", [loaded], results, draw_accuracies(results))


def probed_features(
    sets: dict[str, Labelled], loaded: LoadedRun, discriminator: nn.Module, seed: int
) -> ProbeResult:
    """Probe a discriminator's features of the pictures of both splits."""
    dim = caption_dim(loaded)
    train, test = (
        extract_features(discriminator, sets[split].pixels, dim).numpy()
        for split in ("train", "test")
    )
    return probe(train, sets["train"].labels, test, sets["test"].labels, seed)


def probed_pixels(sets: dict[str, Labelled], seed: int) -> ProbeResult:
    """Probe the pixels themselves."""
    train, test = (to_float(sets[s].pixels).flatten(1).numpy() for s in ("train", "test"))
    return probe(train, sets["train"].labels, test, sets["test"].labels, seed)


def chance(test: Labelled) -> float:
    """Return the share of the commonest class."""
    return float(np.unique(test.labels, return_counts=True)[1].max() / len(test.labels))


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
    values = [row["accuracy"] for row in rows.values()]
    errors = [
        [row["accuracy"] - row["low"] for row in rows.values()],
        [row["high"] - row["accuracy"] for row in rows.values()],
    ]
    bars = axes.barh(names, values, xerr=errors, capsize=3, color=["C0", "C7", "C7"])
    axes.bar_label(bars, [f"{value:.1%}" for value in values], padding=14, fontsize=9)
    axes.axvline(results["chance"], color="k", lw=0.8, ls=":")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(values))
    style_axes(axes, "CIFAR-10 by a linear SVM (features, dotted: chance)", "test accuracy, 95%")
    return figure
