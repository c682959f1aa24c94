"""Objectives by name: one small file each, all with the signature in `base`.

A file put here is found by itself. One that lives elsewhere is named by its own package, in the
entry point group `captionfill.objectives`, under the name that recipes call it by.
"""

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any

from training.losses.objectives.base import OBJECTIVES

GROUP = "captionfill.objectives"

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)


def find_objective(kind: str) -> Any:
    """Return an objective's class: one of ours, else one that an installed package offers.

    Raises:
        ValueError: there is no objective of that name, or it cannot be imported.
    """
    if kind in OBJECTIVES:
        return OBJECTIVES[kind]
    offered = entry_points(group=GROUP)
    if kind not in offered.names:
        known = ", ".join(sorted({*OBJECTIVES, *offered.names}))
        raise ValueError(f"objective.kind {kind!r} is none of {known}")
    try:
        return offered[kind].load()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"objective.kind {kind!r} cannot be loaded: {error}") from error


__all__ = ["OBJECTIVES", "find_objective"]
