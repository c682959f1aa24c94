"""Reports NaN and infinite values: where, how often at the same step, and what to try."""

import json
from pathlib import Path

import torch

from captionfill.output_files import write_atomically
from training.common.console import is_main_process
from training.common.errors import NonFiniteError
from training.runs.checkpoints.checkpoint import checkpoints, newest_step
from training.runs.checkpoints.train_state import TrainState
from training.runs.run_dir import RunDir

RECORD = "nonfinite.json"


def find_nonfinite_weight(state: TrainState) -> str | None:
    """Return the name of the first weight or buffer that is not finite; None if all are."""
    networks = {"generator": state.generator, "discriminator": state.discriminator}
    if state.average is not None:
        networks["average"] = state.average
    for network, module in networks.items():
        for name, value in module.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                return f"{network}.{name}"
    return None


def check_weights(state: TrainState, step: int) -> None:
    """Refuse weights that are not finite, so that they never replace a good checkpoint.

    Raises:
        NonFiniteError: names the first such weight and the step.
    """
    name = find_nonfinite_weight(state)
    if name is not None:
        raise NonFiniteError(
            f"weight {name} is not finite after step {step}: no checkpoint written"
        )


def explain(run: RunDir, state: TrainState, step: int, error: NonFiniteError) -> NonFiniteError:
    """Return an error with what else is known, whether it came before, and what to try.

    Rank 0 counts in the run directory how often the run was stopped at this step.
    """
    parts = [str(error)]
    name = find_nonfinite_weight(state)
    if name is not None and not str(error).startswith("weight"):
        parts.append(f"weight {name} was not finite before")
    times = count_repeats(run.folder, step, str(error)) if is_main_process() else 1
    if times > 1:
        parts.append(f"the same as before, for the {times}. time: a resume alone repeats it")
    parts.append(f"try {suggest_fixes(run)}")
    return NonFiniteError("; ".join(parts))


def count_repeats(folder: Path, step: int, what: str) -> int:
    """Record that a run was stopped at a step; return how often in a row it was stopped there."""
    place = folder / RECORD
    try:
        before = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    same = before.get("step") == step and before.get("what") == what
    times = int(before.get("times", 0)) + 1 if same else 1
    write_atomically(place, json.dumps({"step": step, "what": what, "times": times}) + "\n")
    return times


def suggest_fixes(run: RunDir) -> str:
    """Return what a user can try, in one line of commands."""
    optimizers, found = run.recipe.optimizers, checkpoints(run.checkpoints)
    resume = f"`captionfill-train resume {run.folder}"
    options = [
        f"{resume} --set optimizers.generator.lr={optimizers.generator.lr / 2:g} "
        f"--set optimizers.discriminator.lr={optimizers.discriminator.lr / 2:g}` (from step "
        f"{newest_step(run.checkpoints):,})"
    ]
    if run.recipe.engine.precision == "bf16":
        options.append(f"{resume} --set engine.precision=fp32`")
    if len(found) > 1:
        options.append(f"an earlier checkpoint (move {found[-1]} away)")
    return ", or ".join(options)
