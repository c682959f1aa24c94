"""Tests BEGAN's assumption that reconstruction losses are normal, and how tight its bound is."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import typer
from scipy.stats import wasserstein_distance

from training.evaluation.run_quality import sample
from training.experiments.began.gaussian_bound import PAIRS, SAMPLES, Pair, check
from training.experiments.began.normality import NORMALITY, normality
from training.experiments.began.reconstruction_figure import draw_reconstruction_losses
from training.experiments.began.reconstructions import began_objective, reconstruction_losses
from training.experiments.output import write_result
from training.experiments.registry import Data, Out, Run, Seed, Split, experiment
from training.runs.load_run import load_run, moved_to

LossesOf = Annotated[int, typer.Option("--count", min=20, max=5000, help="Pictures of each kind.")]

MEANINGS = NORMALITY | {
    "losses": (
        "L(v) = |v - D(v)|^η a picture (Berthelot et al. 2017, §3.1), of held-out real and of "
        "generated pictures, 8-bit, the discriminator in evaluation mode"
    ),
    "bound": "|m₁ - m₂| ≤ W₁ (§3.2)",
    "w2": "W₂² = (m₁ - m₂)² + c₁ + c₂ - 2√(c₁c₂) of normal distributions (first version, eq. 1)",
    "ratio": "(c₁ + c₂ - 2√(c₁c₂)) / (m₁ - m₂)² (first version, eq. 2)",
    "tightness": "bound / W₁; of normal distributions it depends on the ratio alone",
    "w1_sampled": f"W₁ of two samples of {SAMPLES}",
}


@experiment("reconstruction-losses")
def reconstruction_losses_command(
    run: Run,
    *,
    out: Out,
    data: Data = None,
    split: Split = None,
    count: LossesOf = 1000,
    seed: Seed = 0,
) -> None:
    """Test whether a BEGAN's reconstruction losses are normal, and how tight its bound is.

    Berthelot et al. 2017, §3.1–3.3: L_D and L_G come from a lower bound on the Wasserstein
    distance of two loss distributions, which the paper takes for normal.
    """
    loaded = load_run(run, data=moved_to(data))
    began_objective(loaded)  # fails early for other objectives
    batch, generated = sample(loaded, count, seed, data=data, split=split)
    found = {
        "real": reconstruction_losses(loaded, batch, generated.reals).numpy(),
        "generated": reconstruction_losses(loaded, batch, generated.pictures).numpy(),
    }
    pair, bound = compare_losses(found)
    gaussians = [check(pair, seed) for pair in PAIRS]
    results = {
        "losses": {name: normality(values) for name, values in found.items()},
        "own_bound": bound,
        "gaussians": gaussians,
        "definitions": MEANINGS,
    }
    write_result(
        out,
        "reconstruction-losses",
        [loaded],
        results,
        draw_reconstruction_losses(found, pair, bound, gaussians),
    )


def compare_losses(losses: Mapping[str, np.ndarray]) -> tuple[Pair, dict[str, Any]]:
    """Fit normals to both losses, and compare the bound with W₁ of the losses themselves.

    Returns:
        The normals; and `bound`, `w1` of the losses themselves, their `tightness`, and what the
        normals would have: `w1_if_normal`, `tightness_if_normal`, `ratio`.
    """
    real, generated = losses["real"], losses["generated"]
    pair = Pair(*(float(f) for v in (real, generated) for f in (v.mean(), v.var(ddof=1))))
    distance = float(wasserstein_distance(real, generated))
    return pair, {
        "bound": pair.bound,
        "w1": distance,
        "tightness": min(pair.bound / distance, 1.0),  # beyond is rounding
        "w1_if_normal": pair.w1,
        "tightness_if_normal": pair.tightness,
        "ratio": pair.ratio,
    }
