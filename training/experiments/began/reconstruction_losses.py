"""Tests BEGAN's assumption that reconstruction losses are normal, and how tight its bound is."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import torch
import typer
from scipy import stats
from torch import Tensor

from models.geometry import to_float
from training.common.errors import RunError
from training.data.batches import Batch
from training.evaluation.run_quality import sample
from training.experiments.began.gaussian_bound import PAIRS, SAMPLES, Pair, check
from training.experiments.began.reconstruction_figure import draw_reconstruction_losses
from training.experiments.output import write_result
from training.experiments.registry import Data, Out, Run, Seed, Split, experiment
from training.losses.objectives.base import DiscriminatorInput
from training.losses.objectives.began import Began
from training.runs.checkpoints.train_state import memory_format
from training.runs.generate import CHUNK
from training.runs.load_run import LoadedRun, load_run, moved_to

LossesOf = Annotated[int, typer.Option("--count", min=20, max=5000, help="Pictures of each kind.")]

LEVEL = 0.05
NORMALITY = {
    "shapiro": "Shapiro & Wilk 1965: W and its p",
    "dagostino": "D'Agostino & Pearson 1973: K² of skewness and kurtosis, and its p",
    "anderson": "Anderson & Darling 1952: A² and its p, which is known between 0.01 and 0.15 alone",
    "qq_correlation": "of the ordered values with normal quantiles: 1 lies on a straight line",
    "kurtosis": "in excess of the normal's 3",
    "rejected_by": f"tests with p below {LEVEL}; of many pictures, they find any small deviation",
}
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
    picture = draw_reconstruction_losses(found, pair, bound, gaussians)
    write_result(out, "reconstruction-losses", [loaded], results, picture)


def began_objective(loaded: LoadedRun) -> Began:
    """Return a run's objective.

    Raises:
        RunError: it is not BEGAN's.
    """
    objective = loaded.state.objective
    if not isinstance(objective, Began):
        kind = loaded.recipe.objective.kind
        raise RunError(f"{loaded.name} is no BEGAN: it was trained with the objective {kind!r}")
    return objective


@torch.inference_mode()
def reconstruction_losses(loaded: LoadedRun, batch: Batch, pictures: Tensor) -> Tensor:
    """Return `L(v) = |v - D(v)|^η` of each picture (Berthelot et al. 2017, §3.1), float64 `(N,)`.

    The discriminator is in evaluation mode, so that a picture's loss does not depend on the batch.

    `pictures`, uint8 `(N, 3, S, S)`, are the batch's own, or those generated for it.

    Raises:
        RunError: the run is no BEGAN.
    """
    objective, layout = began_objective(loaded), memory_format(loaded.recipe.engine)
    device = next(loaded.discriminator.parameters()).device
    found = []
    for rows in torch.split(torch.arange(len(pictures)), CHUNK):
        part = Batch(to_float(pictures[rows]), batch.mask[rows], batch.caption[rows])
        scene = DiscriminatorInput(*part.to(device, layout))
        found.append(objective.loss(loaded.discriminator, scene).double().cpu())
    return torch.cat(found)


def normality(values: np.ndarray) -> dict[str, Any]:
    """Test whether values `(N,)`, 20 to 5000 and not all the same, are normally distributed.

    The plain numbers are explained in `NORMALITY`.
    """
    found = {
        "shapiro": stats.shapiro(values),
        "dagostino": stats.normaltest(values),
        "anderson": stats.anderson(values, "norm", method="interpolate"),
    }
    tests = {
        name: {"statistic": float(test.statistic), "p": float(test.pvalue)}
        for name, test in found.items()
    }
    return {
        "pictures": len(values),
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)),
        "skewness": float(stats.skew(values)),
        "kurtosis": float(stats.kurtosis(values)),
        "qq_correlation": float(stats.probplot(values)[1][2]),
        **tests,
        "rejected_by": [name for name, test in tests.items() if test["p"] < LEVEL],
    }


def compare_losses(losses: Mapping[str, np.ndarray]) -> tuple[Pair, dict[str, Any]]:
    """Fit normals to both losses, and compare the bound with W₁ of the losses themselves.

    The figures `…_if_normal` and `ratio` are of the normals, which are returned first.
    """
    real, generated = losses["real"], losses["generated"]
    pair = Pair(*(float(f) for v in (real, generated) for f in (v.mean(), v.var(ddof=1))))
    distance = float(stats.wasserstein_distance(real, generated))
    return pair, {
        "bound": pair.bound,
        "w1": distance,
        "tightness": min(pair.bound / distance, 1.0),  # beyond is rounding
        "w1_if_normal": pair.w1,
        "tightness_if_normal": pair.tightness,
        "ratio": pair.ratio,
    }
