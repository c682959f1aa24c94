"""Clip sweep: the effect of the bound on a critic's weights on the critic and the pictures."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.geometry import to_float
from training.evaluation.run_quality import definitions, measure, sample
from training.experiments.output import write_result
from training.experiments.registry import Count, Data, Out, Runs, Seed, Split, experiment
from training.experiments.sweeps.clip_figure import draw_clip_sweep
from training.experiments.sweeps.sweep import SweepPoint, load_sweep, sweep_strips
from training.metrics.mobilenet import require_extractor
from training.monitors.state_monitors import pinned_share
from training.reporting.curves import series
from training.runs.metric_logger import read_log

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
    rows = [
        {
            "run": point.loaded.name,
            "step": point.loaded.step,
            "clip": point.value,
            **measure(point.generated, seed, extractor),
            "wasserstein": final_estimate(log),
            **examine_critic(point),
        }
        for point, log in zip(sweep, logs, strict=True)
    ]
    results = {"rows": rows, "definitions": definitions(whole=sweep[0].generated.whole) | MEANINGS}
    picture = draw_clip_sweep(rows, logs, sweep_strips(sweep, "clip"))
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

    Args:
        critic: in evaluation mode, so that a score does not depend on the batch.
        images: `(N, 3, S, S)`, -1 to 1.
        caption: `(N, caption_dim)`.

    Returns:
        The input's norm first, then one of each level.
    """
    device = next(critic.parameters()).device
    inputs = images.to(device).requires_grad_()
    output = critic(inputs, caption.to(device))
    gradients = torch.autograd.grad(output.score.sum(), [inputs, *output.features])
    return [float(g.flatten(1).norm(dim=1).mean()) for g in gradients]


def final_estimate(log: Sequence[Mapping[str, float]]) -> float:
    """Return the mean Wasserstein estimate over the last tenth of a log's entries of it."""
    _, values = series("state/wasserstein", log)
    return float(values[-max(1, len(values) // 10) :].mean())
