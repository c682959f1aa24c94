"""A discriminator's features as a classifier: what it learnt of pictures it was never shown."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from models.discriminators import DISCRIMINATORS
from models.geometry import to_float
from models.verdicts import Judgement
from training.experiments.base import Out, Run, Seed, experiment, leave
from training.experiments.drawing import tidy
from training.experiments.labelled import Labelled, draw_cifar10
from training.experiments.linear_probe import PROBE, Probed, probe
from training.loaded import LoadedRun, load_run
from training.manifest import Manifest
from training.metrics import bootstrap_interval
from training.players import network

GRID = 4
AT_ONCE = 64

Cifar = Annotated[
    Path, typer.Option("--cifar10", help="CIFAR-10, folder or archive, as prepare reads it.")
]
Train = Annotated[int, typer.Option("--train", min=200, help="Pictures to fit to.")]
Test = Annotated[int, typer.Option("--test", min=50, help="Pictures to test on.")]

LEARNT, RANDOM, PIXELS = "discriminator", "random discriminator", "raw pixels"
FEATURES = (
    "every level's activations, max-pooled to a 4×4 grid, flattened and concatenated (Radford et "
    "al. 2015, §5.1)"
)
CODE = "the code of the autoencoder, which is what a BEGAN's discriminator has for features"
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
    fresh = anew(loaded, seed)
    probed = {
        LEARNT: probed_features(sets, loaded, loaded.discriminator, seed),
        RANDOM: probed_features(sets, loaded, fresh, seed),
        PIXELS: probed_pixels(sets, seed),
    }
    results = {
        "train": train,
        "test": test,
        "chance": chance(sets["test"]),
        "rows": {name: found.told() for name, found in probed.items()},
        "gain": {other: gain(probed[LEARNT], probed[other], seed) for other in (RANDOM, PIXELS)},
        "definitions": {LEARNT: described(loaded.discriminator), **MEANINGS},
    }
    leave(out, "discriminator-features", [loaded], results, drawing(results))


def probed_features(
    sets: dict[str, Labelled], loaded: LoadedRun, discriminator: nn.Module, seed: int
) -> Probed:
    """Probe a discriminator's features of the pictures of both splits."""
    dim = caption_dim(loaded)
    train, test = (
        features(discriminator, sets[split].pixels, dim).numpy() for split in ("train", "test")
    )
    return probe(train, sets["train"].labels, test, sets["test"].labels, seed)


def probed_pixels(sets: dict[str, Labelled], seed: int) -> Probed:
    """Probe the pixels themselves."""
    train, test = (to_float(sets[s].pixels).flatten(1).numpy() for s in ("train", "test"))
    return probe(train, sets["train"].labels, test, sets["test"].labels, seed)


@torch.inference_mode()
def features(discriminator: nn.Module, pixels: Tensor, dim: int) -> Tensor:
    """Return what a discriminator makes of pictures, with no caption.

    Args:
        discriminator: in evaluation mode.
        pixels: uint8 `(N, 3, S, S)`, of the size it was built for.
        dim: length of a caption vector.

    Returns:
        float32 `(N, D)` on the CPU: of one that scores, every level max-pooled to 4×4; of an
        autoencoder, the code.
    """
    device = next(discriminator.parameters()).device
    found = []
    for part in pixels.split(AT_ONCE):
        verdict = discriminator(
            to_float(part.to(device)), torch.zeros(len(part), dim, device=device)
        )
        if isinstance(verdict, Judgement):
            pooled = [adaptive_max_pool2d(level, GRID).flatten(1) for level in verdict.features]
            found.append(torch.cat(pooled, dim=1).float().cpu())
        else:
            found.append(verdict.code.flatten(1).float().cpu())
    return torch.cat(found)


def anew(loaded: LoadedRun, seed: int) -> nn.Module:
    """Build a run's discriminator with freshly drawn weights."""
    torch.manual_seed(seed)
    fresh = network(loaded.recipe.discriminator, DISCRIMINATORS, caption_dim(loaded))
    return fresh.eval()


def caption_dim(loaded: LoadedRun) -> int:
    """Return the length of the captions that a run was trained with."""
    return Manifest.load(Path(next(iter(loaded.run.data)))).caption_dim


def described(discriminator: nn.Module) -> str:
    """Say what is taken for a discriminator's features."""
    return FEATURES if discriminator.verdict is Judgement else CODE


def chance(test: Labelled) -> float:
    """Return the share of the commonest class."""
    return float(np.unique(test.labels, return_counts=True)[1].max() / len(test.labels))


def gain(first: Probed, second: Probed, seed: int) -> dict[str, float]:
    """Return how much more accurate the first is, with its interval."""
    difference = first.right.astype(float) - second.right.astype(float)
    return asdict(bootstrap_interval(torch.from_numpy(difference), seed))


def drawing(results: dict[str, Any]) -> Figure:
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
    tidy(axes, "CIFAR-10 by a linear SVM (features, dotted: chance)", "test accuracy, 95%")
    return figure
