"""Clip sweep: the effect of the bound on a critic's weights on the critic and the pictures."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import SymmetricalLogLocator
from torch import Tensor, nn

from models.geometry import to_float
from training.evaluation.metrics.mobilenet import require_extractor
from training.evaluation.run_quality import definitions, measure, sample
from training.experiments.drawing import panels_over_strips, style_axes
from training.experiments.output import write_result
from training.experiments.registry import Count, Data, Out, Runs, Seed, Split, experiment
from training.experiments.sweeps.sweep import SweepPoint, load_sweep, sweep_strips
from training.monitors.state_monitors import pinned_share
from training.runs.metric_logger import read_log
from training.runs.report.curves import series, smooth, thin

BINS = 41
GRADIENTS_OF = 64  # pictures
MEANINGS = {
    "saturation": "share of a layer's parameters within 0.1% of ±clip, or at it",
    "histogram": "share of the critic's parameters in each of 41 equal bins from -clip to clip",
    "gradient_norms": (
        "mean over pictures, real and generated, of the norm of the critic's score's gradient "
        "with respect to the input and to each level's activations, from the input up (Gulrajani "
        "et al. 2017, §3 and figure 1b); batch norm by its running statistics"
    ),
    "wasserstein": "E f(x) - E f(g(z)) as logged, the mean over the last tenth of the log",
}


@experiment("clip-sweep")
def clip_sweep(
    runs: Runs,
    *,
    out: Out,
    data: Data = None,
    split: Split = None,
    count: Count = 512,
    seed: Seed = 0,
) -> None:
    """Look into the critics of clipped WGAN runs that differ in the clip and seed alone.

    Weight histograms, the share of weights at the clip, gradient norms per layer, the Wasserstein
    estimate over training, and KID (Arjovsky et al. 2017, Algorithm 1; Gulrajani et al. 2017, §3).
    """
    draw = partial(sample, count=count, seed=seed, data=data, split=split)
    sweep = load_sweep(runs, "wgan-clip", "clip", draw, data)
    extractor = require_extractor()
    logs = [read_log(point.loaded.run.folder) for point in sweep]
    estimates = [series("state/wasserstein", log) for log in logs]
    rows = [
        {
            "run": point.loaded.name,
            "step": point.loaded.step,
            "clip": point.value,
            **measure(point.generated, seed, extractor),
            "wasserstein": float(values[-max(1, len(values) // 10) :].mean()),
            **examine_critic(point),
        }
        for point, (_, values) in zip(sweep, estimates, strict=True)
    ]
    results = {"rows": rows, "definitions": definitions(whole=sweep[0].generated.whole) | MEANINGS}
    picture = draw_clip_sweep(rows, estimates, sweep_strips(sweep, "clip"))
    write_result(out, "clip-sweep", [point.loaded for point in sweep], results, picture)


def examine_critic(point: SweepPoint) -> dict[str, Any]:
    """Return what is found in a run's critic: its weights, and its gradients."""
    critic, clip = point.loaded.discriminator, point.value
    layers = layers_of(critic)
    weights = [weight for layer in layers.values() for weight in layer]
    few = slice(GRADIENTS_OF)
    shown = torch.cat([to_float(point.generated.pictures[few]), point.batch.images[few]])
    return {
        "saturation": {name: pinned_share(layer, clip) for name, layer in layers.items()},
        "saturation_of_all": pinned_share(weights, clip),
        "histogram": histogram(weights, clip),
        "gradient_norms": gradient_norms(critic, shown, point.batch.caption[few].repeat(2, 1)),
    }


def layers_of(network: nn.Module) -> dict[str, list[Tensor]]:
    """Return the parameters of each layer that has some, by `path kind`, in the network's order."""
    return {
        f"{path} {type(module).__name__}": own
        for path, module in network.named_modules()
        if (own := [p.detach().cpu() for p in module.parameters(recurse=False)])
    }


def histogram(weights: Sequence[Tensor], clip: float) -> list[float]:
    """Return the share of the weights in each of `BINS` bins of the same width in ±clip."""
    values = torch.cat([weight.flatten() for weight in weights]).float().numpy()
    # Clipped in the network's precision, a weight may lie a rounding beyond.
    counts, _ = np.histogram(values.clip(-clip, clip), bins=BINS, range=(-clip, clip))
    return [float(share) for share in counts / len(values)]


def gradient_norms(critic: nn.Module, images: Tensor, caption: Tensor) -> list[float]:
    """Return the mean norm, over pictures, of ∂score/∂(input, each level's activations).

    The input's is first. The critic is in evaluation mode, so that a score does not depend on the
    batch; images `(N, 3, S, S)` are -1 to 1.
    """
    device = next(critic.parameters()).device
    inputs = images.to(device).requires_grad_()
    output = critic(inputs, caption.to(device))
    gradients = torch.autograd.grad(output.score.sum(), [inputs, *output.features])
    return [float(g.flatten(1).norm(dim=1).mean()) for g in gradients]


def draw_clip_sweep(
    rows: Sequence[Mapping[str, Any]],
    estimates: Sequence[tuple[np.ndarray, np.ndarray]],
    strips: Mapping[str, Tensor],
) -> Figure:
    """Draw histograms, saturation, gradient norms, estimates and KID, the pictures under them."""
    figure, panels = panels_over_strips(strips, 5, panel_width=3.3, panel_height=4.2)
    _histograms(panels[0], rows)
    _saturations(panels[1], rows)
    _gradients(panels[2], rows)
    _estimates(panels[3], rows, estimates)
    _kids(panels[4], rows)
    # Where the most weights are pinned, at the ends, a legend inside would hide them.
    lines = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(*lines, loc="outside upper center", ncols=len(rows), frameon=False)
    return figure


def _histograms(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    edges = np.linspace(-1, 1, len(rows[0]["histogram"]) + 1)
    for row in rows:
        axes.stairs(row["histogram"], edges, label=f"clip {row['clip']:g}")
    axes.set_yscale("log")
    style_axes(axes, "critic's weights", "weight / clip", "share (log)")


def _saturations(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        axes.plot([*row["saturation"].values()], "o-")
    axes.set_xticks(
        range(len(rows[0]["saturation"])), rows[0]["saturation"], rotation=60, ha="right"
    )
    axes.set_ylim(-0.02, 1.02)
    style_axes(axes, "saturation", "", "share at the clip")
    axes.tick_params(axis="x", labelsize=6)


def _gradients(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        axes.plot(row["gradient_norms"], "o-")
    axes.set_xticks(range(len(rows[0]["gradient_norms"])))
    axes.set_yscale("log")
    style_axes(axes, "gradient of the score", "level (0 is the input)", "norm (log)")


def _kids(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    means, spreads = ([row["kid"][key] for row in rows] for key in ("mean", "spread"))
    axes.errorbar([row["clip"] for row in rows], means, yerr=spreads, fmt="o-", capsize=2)
    axes.set_xscale("log")
    style_axes(axes, "quality", "clip (log)", "KID (lower is better)")


def _estimates(
    axes: Axes,
    rows: Sequence[Mapping[str, Any]],
    estimates: Sequence[tuple[np.ndarray, np.ndarray]],
) -> None:
    """Draw the Wasserstein estimates over training, smoothed.

    Each is the distance up to its critic's Lipschitz constant, which grows with the clip by orders
    of magnitude: hence the scale.
    """
    largest = []
    for row, (steps, values) in zip(rows, estimates, strict=True):
        axes.plot(*thin(steps, smooth(values)), label=f"{row['clip']:g}")
        largest.append(float(np.abs(values).max()))
    linear = max(min(largest) / 10, 1e-12)
    axes.set_yscale("symlog", linthresh=linear)
    few = SymmetricalLogLocator(base=10, linthresh=linear)
    few.set_params(numticks=7)
    axes.yaxis.set_major_locator(few)
    style_axes(axes, "Wasserstein estimate", "step", "E f(x) - E f(g(z))")
