"""Draw requests a second and the 99th percentile of the latency by clients."""

from pathlib import Path
from typing import Any

_NAMES = {"captionfill": "captionfill", "fastapi": "FastAPI route", "litserve": "LitServe"}
_KINDS = ("repeated", "new")
_FIGURES = {"req_s": "requests a second", "p99_ms": "p99 [ms]"}


def draw(report: dict[str, Any], place: Path) -> None:
    """Write a figure: medians of the rounds, with bars from the least to the greatest."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, squeeze=False)
    for row, (name, label) in zip(axes, _FIGURES.items(), strict=True):
        for axis, kind in zip(row, _KINDS, strict=True):
            _lines(axis, report, kind, name)
            axis.set(ylabel=label, ylim=(0, None))
            axis.grid(alpha=0.3)
    for axis, kind in zip(axes[0], _KINDS, strict=True):
        axis.set_title(f"64×64, {kind} captions")
    for axis in axes[1]:
        axis.set_xlabel("clients")
    axes[0, 0].legend()
    figure.savefig(place, dpi=110)


def _lines(axis: Any, report: dict[str, Any], kind: str, name: str) -> None:
    for system, label in _NAMES.items():
        cells = [
            cell
            for cell in report["cells"]
            if (cell["system"], cell["captions"], cell["picture"]) == (system, kind, "64×64")
        ]
        if cells:
            middle = [cell[name]["median"] for cell in cells]
            low = [cell[name]["median"] - cell[name]["least"] for cell in cells]
            high = [cell[name]["greatest"] - cell[name]["median"] for cell in cells]
            clients = [cell["clients"] for cell in cells]
            axis.errorbar(clients, middle, (low, high), marker="o", capsize=3, label=label)
            axis.set_xscale("log", base=2)
            axis.set_xticks(clients, map(str, clients))
