"""Checkpoints: nested state as safetensors and JSON, written whole or not at all."""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save, save_file

from models.runtime.replace_files import exchange
from training.common import distributed
from training.common.errors import RunError
from training.common.output_files import write_error

TENSORS, STATE, KEEP = "tensors.safetensors", "state.json", 2
# Backups and renamed copies (`step-00000100.bak`) are not checkpoints.
NAME = re.compile(r"step-(\d{8,})")


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write `folder/step-…`, nested dicts and lists of tensors and plain values.

    It and the one before are kept.

    Returns:
        The checkpoint's folder; it appears under its name only when it is complete on disk.

    Raises:
        OutputError: it cannot be written, such as on a full disk; the older ones are kept.
    """
    final = folder / f"step-{step:08d}"
    draft = folder / f".draft-{os.getpid()}"
    try:
        write_checkpoint(draft, step, state)
        put_in_place(draft, final)
    except (OSError, SafetensorError) as error:
        raise write_error(final, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for old in checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old)
    return final


def write_checkpoint(draft: Path, step: int, state: dict[str, Any]) -> None:
    """Write a checkpoint's files, onto the disk itself."""
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    tensors: dict[str, torch.Tensor] = {}
    plain = split_tensors(state, "", tensors)
    save_file(tensors, draft / TENSORS)
    (draft / STATE).write_text(json.dumps({"step": step, "state": plain}), encoding="utf-8")
    for name in (TENSORS, STATE):
        with (draft / name).open("rb") as file:
            os.fsync(file.fileno())


def put_in_place(draft: Path, final: Path) -> None:
    """Rename a complete draft; one of that name before is left under the draft's name."""
    if not final.exists():
        draft.rename(final)
    elif not exchange(draft, final):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def load_checkpoint(folder: Path) -> tuple[int, dict[str, Any]]:
    """Read the newest checkpoint under `folder`.

    Returns:
        Steps done, and the state that was saved.

    Raises:
        RunError: there is none, or it cannot be read.
    """
    found = checkpoints(folder)
    if not found:
        raise RunError(f"no checkpoint in {folder}")
    return read_checkpoint(found[-1])


def read_checkpoint(place: Path) -> tuple[int, dict[str, Any]]:
    """Read one checkpoint; returns and raises as `load_checkpoint`."""
    try:
        record = json.loads((place / STATE).read_text(encoding="utf-8"))
        tensors = load_file(place / TENSORS)
        return int(record["step"]), join_tensors(record["state"], tensors)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise RunError(f"checkpoint {place} cannot be read: {error}") from error


def shared_checkpoint(read: Callable[[], tuple[int, dict[str, Any]]]) -> tuple[int, dict[str, Any]]:
    """Read a checkpoint on rank 0 with a function such as `load_checkpoint`; send it to all ranks.

    Raises:
        RunError: as `read` raised it.
    """
    if distributed.world_size() == 1:
        return read()
    tensors: dict[str, torch.Tensor] = {}

    def lead() -> dict[str, Any]:
        step, state = read()
        return {"step": step, "state": split_tensors(state, "", tensors)}

    record = distributed.run_on_rank0(lead)
    return int(record["step"]), join_tensors(
        record["state"], load(distributed.broadcast_bytes(save(tensors)))
    )


def newest_step(folder: Path) -> int:
    """Return the newest checkpoint's steps; 0 without a checkpoint."""
    found = checkpoints(folder)
    return step_of(found[-1]) if found else 0


def step_of(checkpoint: Path) -> int:
    """Return a checkpoint's steps, from its name."""
    return int(checkpoint.name.removeprefix("step-"))


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first; folders of any other name are left out."""
    found = [place for place in folder.glob("step-*") if NAME.fullmatch(place.name)]
    return sorted((place for place in found if place.is_dir()), key=step_of)


def remove_affected_checkpoints(folder: Path, since: int, every: int) -> None:
    """Remove the checkpoints since the last observation without a problem, for a roll-back.

    Observations are `every` steps apart, and the problem began between that one and `since`. Where
    no checkpoint is older, those from `since` on are removed.

    Raises:
        RunError: none is from before `since`; nothing was removed.
    """
    found = checkpoints(folder)
    if not found or step_of(found[0]) >= since:
        raise RunError(f"no checkpoint from before step {since} to roll back to in {folder}")
    verified = since - every + 1
    first = verified if step_of(found[0]) < verified else since
    for place in found:
        if step_of(place) >= first:
            shutil.rmtree(place)


def split_tensors(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Move every tensor into `tensors` under its path and leave a note in its place.

    Dicts become pairs, since JSON would turn an optimizer's integer keys into text.
    """
    if isinstance(value, torch.Tensor):
        # clone: safetensors refuses tensors that share memory.
        tensors[path] = value.detach().cpu().clone().contiguous()
        return {"tensor": path}
    if isinstance(value, dict):
        pairs = [[k, split_tensors(v, f"{path}/{k}", tensors)] for k, v in value.items()]
        return {"dict": pairs}
    if isinstance(value, list | tuple):
        return [split_tensors(v, f"{path}/{i}", tensors) for i, v in enumerate(value)]
    return value


def join_tensors(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Undo `split_tensors`."""
    if isinstance(value, dict) and "tensor" in value:
        return tensors[value["tensor"]]
    if isinstance(value, dict):
        return {k: join_tensors(v, tensors) for k, v in value["dict"]}
    if isinstance(value, list):
        return [join_tensors(v, tensors) for v in value]
    return value
