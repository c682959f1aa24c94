"""Loading of weights that were saved when a submodule or buffer had another name."""

from functools import partial
from typing import Any

from torch import nn


def accept_old_names(module: nn.Module, **renamed: str) -> None:
    """Let `load_state_dict` of a module, or of one around it, take old names of its parts.

    `renamed` maps old to new names of direct submodules, parameters and buffers.
    """
    hook = partial(_rename_keys, renamed)
    module.register_load_state_dict_pre_hook(hook)


def _rename_keys(
    renamed: dict[str, str],
    module: nn.Module,
    state: dict[str, Any],
    prefix: str,
    *_args: Any,
) -> None:
    for key in list(state):
        name, dot, rest = key.removeprefix(prefix).partition(".")
        if key.startswith(prefix) and name in renamed:
            state[f"{prefix}{renamed[name]}{dot}{rest}"] = state.pop(key)
