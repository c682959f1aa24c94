"""Results of all rounds: figures by cell and system, and ratios with their spread."""

import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

OURS = "captionfill"
_PACKAGES = ("fastapi", "litserve", "openvino", "pillow", "redis", "uvicorn", "uvloop")
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True)
class Cell:
    """What is measured: a picture, a kind of captions, a number of clients."""

    picture: str
    captions: str
    clients: int


@dataclass
class Results:
    """Figures of every round by cell and system, in order of the rounds."""

    rounds: dict[tuple[Cell, str], list[dict[str, float]]] = field(default_factory=dict)

    def add(self, cell: Cell, system: str, figures: dict[str, float]) -> None:
        self.rounds.setdefault((cell, system), []).append(figures)

    def cells(self) -> list[dict[str, Any]]:
        """Median, least and greatest figures of each cell and system."""
        return [
            {**vars(cell), "system": system}
            | {name: spread(one[name] for one in rounds) for name in rounds[0]}
            for (cell, system), rounds in self.rounds.items()
        ]

    def ratios(self) -> list[dict[str, Any]]:
        """This service against each other system, round by round."""
        return [
            {**vars(cell), "against": system}
            | {name: self._ratio(cell, system, name) for name in ("req_s", "p50_ms", "p99_ms")}
            for cell, system in self.rounds
            if system != OURS and (cell, OURS) in self.rounds
        ]

    def new_against_repeated(self) -> list[dict[str, Any]]:
        """Requests a second with new captions against repeated ones, by system and clients."""
        found = []
        for (cell, system), rounds in self.rounds.items():
            other = Cell(cell.picture, "repeated", cell.clients), system
            if cell.captions == "new" and other in self.rounds:
                pairs = zip(rounds, self.rounds[other], strict=True)
                ratio = spread(new["req_s"] / old["req_s"] for new, old in pairs)
                found.append({"picture": cell.picture, "clients": cell.clients, "system": system,
                              "req_s": ratio})  # fmt: skip
        return found

    def _ratio(self, cell: Cell, system: str, name: str) -> dict[str, float]:
        ours, theirs = self.rounds[cell, OURS], self.rounds[cell, system]
        return spread(a[name] / b[name] for a, b in zip(ours, theirs, strict=True))

    def report(self, **facts: Any) -> dict[str, Any]:
        return {
            **facts,
            "machine": machine(),
            "cells": self.cells(),
            "ratios": self.ratios(),
            "new_against_repeated": self.new_against_repeated(),
        }


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, least and greatest value."""
    found = list(values)
    of: dict[str, Callable[[list[float]], float]] = {
        "median": median, "least": min, "greatest": max,
    }  # fmt: skip
    return {name: round(pick(found), 3) for name, pick in of.items()}


def machine() -> dict[str, Any]:
    """The processor, how many cores of it there are, and versions of what matters."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = dict(part for line in lines if len(part := line.replace("\t", "").split(": ", 1)) == 2)
    flags = set(facts.get("flags", "").split())
    return {
        "processor": facts.get("model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in _FLAGS if flag in flags],
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }
