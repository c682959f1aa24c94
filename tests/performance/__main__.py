"""Load and latency beside a plain FastAPI route and LitServe: `python -m tests.performance`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from service.config.model_settings import DEFAULT_BUNDLE
from tests.performance.plot import draw
from tests.performance.results import Cell, Results
from tests.performance.suite import Plan, run
from tests.reliability.harness.report import write_json

# A large picture is the work of the CPU for a third of a second: more clients only wait.
_LARGE_CLIENTS = (1, 8)


typer_app = typer.Typer()


@typer_app.command()
def main(
    place: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
    plot: Annotated[Path | None, typer.Option(help="draw them here, as PNG or WebP")] = None,
    bundle: Annotated[str, typer.Option(help="a folder, or stub")] = str(DEFAULT_BUNDLE),
    clients: Annotated[str, typer.Option(help="at once, as a list")] = "1,8,32,64,128",
    captions: Annotated[str, typer.Option(help="repeated, new or both")] = "repeated,new",
    pictures: Annotated[str, typer.Option(help="64×64, 12 MP or both")] = "64×64,12 MP",
    systems: str = "captionfill,fastapi,litserve",
    seconds: Annotated[float, typer.Option(min=0.1, help="of a cell, after its warm-up")] = 4.0,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Measure each system in turn, in every round anew."""
    for target in filter(None, (place, plot)):
        target.parent.mkdir(parents=True, exist_ok=True)
    cells = [
        Cell(picture, kind, number)
        for picture in pictures.split(",")
        for kind in captions.split(",")
        for number in map(int, clients.split(","))
        if picture == "64×64" or (kind == "repeated" and number in _LARGE_CLIENTS)
    ]
    plan = Plan(cells, systems.split(","), bundle, seconds, rounds)
    print(f"about {plan.estimate() / 60:.0f} minutes", file=sys.stderr)
    results = Results()
    for line in run(plan, results):
        print(line, file=sys.stderr)
    day = datetime.now(UTC).date().isoformat()
    report = results.report(date=day, seconds=seconds, rounds=rounds)
    write_json(report, place)
    if plot is not None:
        draw(report, plot)


if __name__ == "__main__":
    typer_app()
