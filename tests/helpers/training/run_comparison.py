"""Are two runs at the same point, to the bit?"""

from pathlib import Path

import torch

from training.runs.checkpoints.checkpoint import load_checkpoint
from training.trainer.trainer import TIME_STATE


def flat(state, path=""):
    """All tensors and numbers of a checkpoint, by path."""
    if not isinstance(state, dict | list):
        return {path: state}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    return {k: v for key, part in items for k, v in flat(part, f"{path}/{key}").items()}


def same(one, other):
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def assert_same_end(one: Path, other: Path, but: str = "/no part") -> None:
    """Compare the newest checkpoints of two runs, but for what lies under one path."""
    step, state = load_checkpoint(one / "checkpoints")
    other_step, other_state = load_checkpoint(other / "checkpoints")
    for one_state in (state, other_state):
        assert one_state.pop(TIME_STATE) > 0  # time taken, which no two runs agree on
    values, others = flat(state), flat(other_state)
    assert step == other_step
    assert values.keys() == others.keys()
    changed = [k for k in values if not same(values[k], others[k]) and not k.startswith(but)]
    assert changed == [], changed
