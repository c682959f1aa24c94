"""γ sweep: what BEGAN's diversity ratio does to quality and to diversity."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from training.evaluation.metrics.image_metrics import ExtractFeatures
from training.evaluation.metrics.mobilenet import require_extractor
from training.evaluation.run_quality import definitions, measure, sample
from training.experiments.began.correlation import spearman
from training.experiments.began.reconstruction_losses import reconstruction_losses
from training.experiments.drawing import panels_over_strips, style_axes
from training.experiments.output import write_result
from training.experiments.registry import Count, Data, Out, Runs, Seed, Split, experiment
from training.experiments.sweeps.sweep import SweepPoint, load_sweep, sweep_strips

LOSSES = (
    "L(v) = |v - D(v)|^η, the mean over pictures: L(x) of held-out real ones, L(G(z)) of generated "
    "ones (Berthelot et al. 2017, §3.1); g = L(G(z)) / L(x), which k steers to γ (eq. 4) on the "
    "pictures trained on"
)
RISING = (
    "Spearman's ρ with γ over the runs; ends_apart: whether the 95% intervals of the smallest and "
    "the largest γ lie apart. They are over pictures; how much one training differs from the next "
    "only runs of several seeds show"
)


@experiment("gamma-sweep")
def gamma_sweep(
    runs: Runs,
    *,
    out: Out,
    data: Data = None,
    split: Split = None,
    count: Count = 512,
    seed: Seed = 0,
) -> None:
    """Set quality against diversity for BEGAN runs that differ in γ and seed alone.

    Berthelot et al. 2017, §4.2: a lower γ is sharper and less diverse. Diversity is expected to
    rise with γ; Spearman's ρ over the runs shows whether it does.
    """
    draw = partial(sample, count=count, seed=seed, data=data, split=split)
    sweep = load_sweep(runs, "began", "gamma", draw, data)
    extractor = require_extractor()
    rows = [measure_point(point, extractor, seed) for point in sweep]
    results = {
        "rows": rows,
        "spearman": correlations(rows, seed),
        "definitions": definitions(whole=sweep[0].generated.whole)
        | {"loss": LOSSES, "rising": RISING},
    }
    picture = draw_gamma_sweep(rows, sweep_strips(sweep, "γ"))
    write_result(out, "gamma-sweep", [point.loaded for point in sweep], results, picture)


def measure_point(point: SweepPoint, extractor: ExtractFeatures, seed: int) -> dict[str, Any]:
    """Return a run's row."""
    loaded = point.loaded
    real, fake = (
        float(reconstruction_losses(loaded, point.batch, pictures).mean())
        for pictures in (point.generated.reals, point.generated.pictures)
    )
    return {
        "run": loaded.name,
        "step": loaded.step,
        "gamma": point.value,
        **measure(point.generated, seed, extractor),
        "loss": {"real": real, "generated": fake, "g": fake / real},
    }


def correlations(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any] | None:
    """Correlate γ with diversity, KID and L(x); None of two runs, which are always in order.

    `diversity_rises` says whether its ρ is positive, `ends_apart` whether the smallest γ's
    interval lies below the largest's.
    """
    if len(rows) < 3:
        return None
    gammas = [row["gamma"] for row in rows]
    columns = {
        "diversity": [row["diversity"]["mean"] for row in rows],
        "kid": [row["kid"]["mean"] for row in rows],
        "loss_real": [row["loss"]["real"] for row in rows],
    }
    found = {name: asdict(spearman(gammas, column, seed)) for name, column in columns.items()}
    return found | {
        "diversity_rises": found["diversity"]["rho"] > 0,
        "ends_apart": rows[0]["diversity"]["high"] < rows[-1]["diversity"]["low"],
    }


def draw_gamma_sweep(rows: Sequence[Mapping[str, Any]], strips: Mapping[str, Tensor]) -> Figure:
    """Draw quality against diversity, both against γ, and the pictures under them."""
    figure, (against, left, right) = panels_over_strips(strips, 3)
    gammas = [row["gamma"] for row in rows]
    kids, spreads = ([row["kid"][key] for row in rows] for key in ("mean", "spread"))
    found = [row["diversity"] for row in rows]
    values, low, high = (np.array([d[end] for d in found]) for end in ("mean", "low", "high"))
    errors = np.maximum(0.0, [values - low, high - values])
    against.errorbar(values, kids, xerr=errors, yerr=spreads, fmt="o", capsize=2)
    for row, x, y in zip(rows, values, kids, strict=True):
        against.annotate(f"γ {row['gamma']:g}", (x, y), (5, 5), textcoords="offset points")
    style_axes(
        against, "quality against diversity", "diversity (1 = real)", "KID (lower is better)"
    )
    left.errorbar(gammas, values, yerr=errors, fmt="o-", capsize=2)
    style_axes(left, "diversity", "γ", "diversity (1 = real), 95%")
    for key, name in (("real", "L(x), held out"), ("generated", "L(G(z))")):
        right.plot(gammas, [row["loss"][key] for row in rows], "o-", label=name)
    right.legend(fontsize=8, frameon=False)
    style_axes(right, "reconstruction loss", "γ")
    return figure
