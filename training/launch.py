"""Start and resume runs: data, players, trainer and sampler put together."""

from collections.abc import Sequence
from pathlib import Path

import torch

from training.checkpoint import newest_step
from training.dataset import BatchSource, load_held_out, load_sets
from training.errors import RunError
from training.players import build_players, pick_device
from training.progress import say
from training.recipe import Recipe
from training.rundir import RunDir
from training.samples import Sampler
from training.shards import PreparedSplit
from training.trainer import OnFinding, OnStep, Trainer


def start(
    recipe: Recipe,
    data: Sequence[Path],
    folder: Path,
    progress: OnStep,
    on_finding: OnFinding = say,
) -> RunDir:
    """Train a recipe from scratch in a new run directory.

    Args:
        recipe: what to train.
        data: prepared folders; their `train` splits are used.
        folder: of the run; must not hold one.
        progress: told the step and its figures.
        on_finding: told what a guard warns of; by default a line on stderr.

    Raises:
        PreparedDataError: the data do not fit.
        RunError: the folder holds a run already, or a guard stopped it.
        NonFiniteError: a loss term stopped being finite.
    """
    sets = load_sets(data, "train", recipe.picture.window)
    digests = {str(place.resolve()): s.digest for place, s in zip(data, sets, strict=True)}
    run = RunDir.create(folder, recipe, digests)
    with run.locked():
        train(run, sets, progress, on_finding)
    return run


def resume(
    folder: Path, overrides: list[str], progress: OnStep, on_finding: OnFinding = say
) -> RunDir:
    """Go on with a run from its newest checkpoint, or from its start if it left none.

    Args:
        folder: of the run.
        overrides: `key=value` changes to its recipe (`run.steps=…` to go on for longer); they
            are written into the run directory.
        progress: told the step and its figures.
        on_finding: told what a guard warns of; by default a line on stderr.

    Raises:
        RunError: no run there, its data changed, its checkpoint is damaged, or a guard stopped it.
    """
    run = RunDir.open(folder)
    with run.locked():
        if overrides:
            run = run.changed(newest_step(run.checkpoints), overrides)
        sets = load_sets([Path(place) for place in run.data], "train", run.recipe.picture.window)
        for one, (place, digest) in zip(sets, run.data.items(), strict=True):
            if one.digest != digest:
                raise RunError(f"{place} is not the data this run was started on")
        train(run, sets, progress, on_finding)
    return run


def train(run: RunDir, sets: list[PreparedSplit], progress: OnStep, on_finding: OnFinding) -> None:
    """Train from wherever the run stands to its end."""
    recipe = run.recipe
    if recipe.engine.threads:
        torch.set_num_threads(recipe.engine.threads)
    # Deterministic kernels cost nothing on a CPU and are what makes a resume exact on a GPU.
    torch.backends.cudnn.deterministic = True
    device = pick_device(recipe.engine)
    players = build_players(recipe, sets[0].manifest.caption_dim, device)
    settings = recipe.run
    batches = BatchSource(
        sets, settings.batch_size, settings.balance, recipe.augment, settings.seed, recipe.picture
    )
    held_out = load_held_out([Path(place) for place in run.data], sets)
    trainer = Trainer(run, players, batches, held_out)
    sampler = Sampler(sets, run.samples, settings.seed, device, recipe.picture)
    if newest_step(run.checkpoints):
        trainer.resume()
    trainer.train(progress, lambda step: sampler.leave(step, players.for_inference), on_finding)
