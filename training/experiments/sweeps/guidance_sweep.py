"""Guidance sweep: a bundle's measures at several guidances and temperatures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.runtime.bundle import load_bundle
from training.common.console import print_stderr
from training.common.errors import RunError
from training.evaluation.benchmarks.targets import TARGETS
from training.evaluation.scorers.judge import load_judge
from training.experiments.comparison.benchmark import (
    METRIC_NAMES,
    Benchmark,
    format_figures,
    measure_bundle,
)
from training.experiments.output import write_result
from training.experiments.registry import Count, Out, Seed, experiment

Values = list[float] | None
STYLES = ("-", "--", ":", "-.")


@experiment("frontier")
def frontier(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: Annotated[list[Path], typer.Option("--data", help="A folder that prepare wrote.")],
    guidance: Annotated[Values, typer.Option(min=0, help="Of captions; may be repeated.")] = None,
    temperature: Annotated[Values, typer.Option(min=0, help="Of noise; may be repeated.")] = None,
    out: Out = Path("frontier.json"),
    count: Count = 200,
    seed: Seed = 0,
) -> None:
    """Measure a bundle's held-out fills at every guidance with every temperature."""
    loaded = load_bundle(bundle)
    settings: Any = loaded.generator.settings
    if not hasattr(settings, "temperature"):
        raise RunError(f"generator {loaded.config.generator!r} has no guidance or temperature")
    judge = load_judge(loaded.config.caption_dim)
    benchmarks = [Benchmark(folder, judge, count, seed) for folder in data]
    points = []
    for t in temperature or [settings.temperature]:
        for g in guidance or [settings.guidance]:
            loaded.generator.settings = replace(settings, guidance=g, temperature=t)
            figures = measure_bundle(benchmarks, loaded)
            points.append({"guidance": g, "temperature": t, "figures": figures})
            print_stderr(f"guidance {g:g}, temperature {t:g}: {format_figures(figures)}")
    results = {"bundle": loaded.digest, "pictures": count, "seed": seed, "points": points}
    write_result(out, "frontier", [], results, draw_frontier(points))


def draw_frontier(points: Sequence[dict[str, Any]]) -> Figure:
    """Draw every measure over guidance, a line for each temperature and set, with its bounds."""
    figure = Figure(figsize=(17, 6.5), layout="constrained")
    panels = figure.subplots(2, 5).ravel()
    by_set = [values for point in points for values in point["figures"].values()]
    # A set has one style throughout, also where a measure is of some sets alone.
    styles = dict(zip(dict.fromkeys(data for one in by_set for data in one), STYLES, strict=False))
    for name, axes in zip(METRIC_NAMES, panels, strict=False):
        draw_measure(axes, name, points, styles)
    handles = panels[1].get_legend_handles_labels()
    panels[-1].axis("off")
    panels[-1].legend(*handles, title="temperature, data", loc="center")
    return figure


def draw_measure(
    axes: Axes, name: str, points: Sequence[dict[str, Any]], styles: dict[str, str]
) -> None:
    """Draw one measure."""
    for number, temperature in enumerate(dict.fromkeys(p["temperature"] for p in points)):
        same = [p for p in points if p["temperature"] == temperature and name in p["figures"]]
        for data in dict.fromkeys(data for point in same for data in point["figures"][name]):
            axes.plot(
                [point["guidance"] for point in same],
                [point["figures"][name][data][0] for point in same],
                styles.get(data, STYLES[-1]),
                marker="o",
                color=f"C{number}",
                label=f"{temperature:g}, {data}",
            )
    target = TARGETS[name]
    for bound, color in ((target.required, "tab:red"), (target.goal, "tab:green")):
        if bound is not None:
            axes.axhline(bound, color=color, linewidth=0.8)
    axes.set_title(fill(target.title, 36), fontsize=9)
    axes.set_xlabel("guidance")
