"""Fault-injection suite: kills processes under load and checks that no job is lost.

`python -m tests.reliability.faults [--json FILE] [--only CASE …] [--jobs N] [--lossy]`: prints its
figures; exits with 1 if a bound is broken. `--lossy` is the negative control: the workers lose
jobs on purpose, and the suite must fail. With `--leaky` they keep leases that nobody works on.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.reliability.faults import outages, overload, processes
from tests.reliability.harness.report import write_report

Figures = dict[str, Any]


def _plan(options: argparse.Namespace) -> dict[str, Callable[[Path], Figures]]:
    jobs, kind = options.jobs, "lossy" if options.lossy else ""
    some, leaky = max(20, jobs // 4), "leaky" if options.leaky else ""
    return {
        "kills": lambda folder: processes.kills(folder, jobs, options.seconds, 1.0, kind),
        "blips": lambda folder: outages.blips(folder, jobs, 0.25, leaky),
        "reclaim": lambda folder: processes.reclaim(folder, options.rounds),
        "api": lambda folder: processes.api(folder, some, options.every, 2 * options.rounds),
        "rolling": lambda folder: processes.rolling(folder, some, options.rounds),
        "queue-away": lambda folder: outages.queue_away(folder, some, options.away),
        "poison": lambda folder: overload.poison(folder, "apart"),
        "poison-kills-worker": lambda folder: overload.poison(folder, ""),
        "full": lambda folder: overload.full(folder, some),
    }


def broken_bounds(case: str, figures: Figures) -> list[str]:
    """Return the bounds that the figures of a case break."""
    found = [
        f"{name} is {figures[name]}"
        for name in ("lost", "wrong", "stored_more_than_once", "left_in_the_stream")
        if figures.get(name)
    ]
    poison = case.startswith("poison")
    if poison:
        if figures["right"] != figures["neighbours"] or figures["neighbours"] != 15:
            found.append(f"{figures['right']} of 15 neighbours are right")
        if not figures["poison_failed"] or len(figures["dead_letters"]) != 1:
            found.append("the poison is no dead letter")
    elif figures.get("dead_letters"):
        found.append(f"dead_letters is {figures['dead_letters']}")
    asked = figures.get("asked", figures.get("accepted_before"))
    if asked is not None and not figures["right"] == asked <= figures["results"]:
        found.append(f"{figures['right']} right of {asked}, {figures['results']} results")
    if case == "kills" and not figures["workers_killed"]:
        found.append("no worker was killed")
    if case == "blips" and figures["blips"] < 6:
        found.append("there were fewer than six blips")
    if case == "api" and not all([figures["api_killed"], *figures["open_requests"]]):
        found.append("the API was not killed while requests were open")
    if case == "rolling" and not 0 < 2 * figures["rolls"] == figures["processes_replaced"]:
        found.append("not every process was replaced in each roll")
    if case == "reclaim" and figures["longest_in_leases"] > 3:
        found.append("a job waited for more than three leases")
    if case == "queue-away" and not 0 < figures["unfinished_before"] < asked:
        found.append("the queue was not taken away in the middle")
    if case == "queue-away" and figures["readiness_while_away"] != [503]:
        found.append("readiness did not go red")
    if case == "queue-away" and figures["answers_while_away"] != [
        "503 /problems/queue-unavailable"
    ]:
        found.append("requests were not refused with 503")
    if case == "full" and (
        figures["answers"] != ["503 /problems/queue-full"]
        or figures["p95_ms"] >= 50 + figures["probe_p95_ms"]
    ):
        found.append("a full queue took 50 ms more than a probe to say so")
    return found


def run(options: argparse.Namespace) -> tuple[dict[str, Figures], list[str]]:
    """Run the chosen cases in order; return their figures and the broken bounds."""
    figures: dict[str, Figures] = {}
    faults: list[str] = []
    for name, case in _plan(options).items():
        if options.only and name not in options.only:
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="faults") as folder:
            figures[name] = case(Path(folder))
        faults += [f"{name}: {fault}" for fault in broken_bounds(name, figures[name])]
    return figures, faults


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the options; the defaults run the full suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument(
        "--seconds", type=float, default=0.08, help="inference time of the stub model for one image"
    )
    parser.add_argument("--every", type=float, default=3.0, help="seconds between API deaths")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--away", type=float, default=10.0, help="seconds without a queue")
    parser.add_argument("--leaky", action="store_true", help="a negative control of blips")
    parser.add_argument("--lossy", action="store_true", help="the negative control")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    figures, faults = run(options)
    write_report("faults", {**figures, "broken": faults}, options.json)
    return 1 if faults else 0
