"""Snapshots: the generator's weights at steps of a run, in half precision."""

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from training.common.errors import RunError

FOLDER, SUFFIX = "snapshots", ".safetensors"
NAME = re.compile(rf"step-(\d+){re.escape(SUFFIX)}")


def save_snapshot(run: Path, step: int, generator: nn.Module) -> Path:
    """Write the generator's weights to `snapshots/step-….safetensors` of a run directory."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    final = folder / f"step-{step:08d}{SUFFIX}"
    draft = folder / f".draft-{step}"
    save_file(
        {name: to_half_precision(value) for name, value in generator.state_dict().items()}, draft
    )
    draft.rename(final)
    return final


def to_half_precision(value: torch.Tensor) -> torch.Tensor:
    """Return a copy in half precision; integers stay as they are."""
    kind = torch.float16 if value.is_floating_point() else value.dtype
    # clone: safetensors refuses tensors that share memory.
    return value.detach().cpu().to(kind).clone().contiguous()


def snapshots(run: Path) -> dict[int, Path]:
    """Return a run's snapshots by step, oldest first."""
    named = ((NAME.fullmatch(path.name), path) for path in (run / FOLDER).glob(f"step-*{SUFFIX}"))
    return dict(sorted((int(match[1]), path) for match, path in named if match))


def load_snapshot(path: Path, generator: nn.Module) -> None:
    """Load a snapshot into a generator of the same recipe.

    Raises:
        RunError: it cannot be read, or is of another network.
    """
    try:
        generator.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"snapshot {path} cannot be loaded: {error}") from error
