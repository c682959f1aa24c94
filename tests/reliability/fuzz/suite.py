"""Fuzzing suite: feeds mutated files to every parser of the service, in child processes.

`python -m tests.reliability.fuzz [--json FILE]`, and the numbers of inputs:
`[--pictures N] [--masks N] [--archives N] [--texts N]`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from tests.reliability.fuzz.child import MOST_SECONDS
from tests.reliability.harness.cluster import ROOT
from tests.reliability.harness.report import write_report

# Of a process that has tried everything: three copies of the largest picture that is taken.
MOST_MIB = 640


@dataclass
class Campaign:
    """One target under fire.

    Attributes:
        folder: takes inputs that broke something, and the log.
        stall: seconds after which an input hangs, whatever else the machine does.
    """

    target: str
    folder: Path
    seed: int = 1
    stall: float = 30.0
    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)
    slowest: float = 0.0
    peak_kib: int = 0
    started: float = field(default_factory=time.monotonic)

    def run(self, inputs: int) -> "Campaign":
        """Try inputs 0 to ``inputs``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = map(str, (self.target, self.seed, inputs, self.stall, self.folder))
        with (
            (self.folder / "child.log").open("ab") as log,
            subprocess.Popen(
                [sys.executable, "-m", "tests.reliability.fuzz.child", *facts],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            ) as child,
        ):
            assert child.stdout is not None
            for line in child.stdout:
                self._note(json.loads(line))
        if self.tried != inputs:
            self.findings.append({"what": f"{self.tried} of {inputs} inputs were tried"})
        return self

    def figures(self) -> dict[str, Any]:
        return {
            "inputs": self.tried,
            "outcomes": dict(self.outcomes.most_common()),
            "mutations": dict(sorted(self.ways.items())),
            "slowest_cpu_seconds": round(self.slowest, 3),
            "peak_mib": round(self.peak_kib / 1024, 1),
            "seconds": round(time.monotonic() - self.started, 1),
            "findings": self.findings,
        }

    def _note(self, message: dict[str, Any]) -> None:
        self.tried += 1
        self.outcomes[message["outcome"]] += 1
        self.ways.update(message["ways"])
        self.slowest = max(self.slowest, message["seconds"])
        self.peak_kib = max(self.peak_kib, message["peak_kib"])
        if message["fault"]:
            finding = {"input": message["index"], "what": message["fault"], "kept": message["kept"]}
            self.findings.append(finding)
            print(f"{self.target}: {finding}; in {self.folder}", file=sys.stderr)
        if self.tried % 5000 == 0:
            print(f"{self.target}: {self.tried:,} inputs", file=sys.stderr)


def find_faults(campaigns: list[Campaign]) -> list[str]:
    """Every bound that was broken."""
    broken = [f"{c.target}: {finding}" for c in campaigns for finding in c.findings]
    broken += [
        f"{c.target}: {c.peak_kib / 1024:.0f} MiB"
        for c in campaigns
        if c.peak_kib > MOST_MIB * 1024
    ]
    # Where nothing is taken, or nothing refused, the inputs reach no depth.
    broken += [f"{c.target}: only {dict(c.outcomes)}" for c in campaigns if len(c.outcomes) < 2]
    return broken


def main(
    place: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
    pictures: int = 100_000,
    masks: int = 15_000,
    archives: int = 15_000,
    texts: Annotated[int, typer.Option(help="forms, queries and names, each")] = 15_000,
    seed: int = 1,
    folder: Annotated[Path | None, typer.Option(help="for inputs that break something")] = None,
) -> None:
    """Fuzz every reader."""
    folder = folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    sizes = {"picture": pictures, "mask": masks, "archive": archives}
    sizes |= dict.fromkeys(("form", "token", "page"), texts)
    campaigns = [Campaign(target, folder, seed).run(count) for target, count in sizes.items()]
    broken = find_faults(campaigns)
    bounds = {"cpu_seconds_an_input": MOST_SECONDS, "peak_mib": MOST_MIB}
    figures = {campaign.target: campaign.figures() for campaign in campaigns}
    write_report("fuzz", {"bounds": bounds, **figures, "broken": broken}, place)
    raise typer.Exit(bool(broken))
