"""What guidance and temperature trade for each other: one bundle's measures at several of both."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import matplotlib.pyplot as plt
import typer
from matplotlib.figure import Figure as Drawing

from models.runtime.bundle import load_bundle
from training.common.console import print_stderr
from training.common.errors import RunError
from training.evaluation.targets import TARGETS
from training.experiments.comparison.bench import TAKEN, Benchmark, measure_on, shown
from training.experiments.registry import Count, Out, Seed, experiment, leave
from training.scorers.judge import load_judge

Many = list[float] | None
STYLES = ("-", "--", ":", "-.")


@experiment("frontier")
def frontier(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: Annotated[list[Path], typer.Option("--data", help="A folder that prepare wrote.")],
    guidance: Annotated[Many, typer.Option(min=0, help="Of captions; may be repeated.")] = None,
    temperature: Annotated[Many, typer.Option(min=0, help="Of noise; may be repeated.")] = None,
    out: Out = Path("frontier.json"),
    count: Count = 200,
    seed: Seed = 0,
) -> None:
    """Measure a bundle's held-out fills at every guidance with every temperature."""
    loaded = load_bundle(bundle)
    settings = loaded.generator.settings
    if not hasattr(settings, "temperature"):
        raise RunError(f"generator {loaded.config.generator!r} knows no guidance or temperature")
    judge = load_judge(loaded.config.caption_dim)
    benches, points = [Benchmark(folder, judge, count, seed) for folder in data], []
    for hot in temperature or [settings.temperature]:
        for far in guidance or [settings.guidance]:
            loaded.generator.settings = replace(settings, guidance=far, temperature=hot)  # type: ignore[assignment, type-var]
            told = measure_on(benches, loaded)
            points.append({"guidance": far, "temperature": hot, "figures": told})
            print_stderr(f"guidance {far:g}, temperature {hot:g}: {shown(told)}")
    results = {"bundle": loaded.digest, "pictures": count, "seed": seed, "points": points}
    leave(out, "frontier", [], results, draw(points))


def draw(points: Sequence[dict[str, Any]]) -> Drawing:
    """Draw every measure over guidance, a line for each temperature and set, with its bounds."""
    drawing, axes = plt.subplots(2, 5, figsize=(17, 6.5), layout="constrained")
    temperatures = list(dict.fromkeys(point["temperature"] for point in points))
    # A set has one style throughout, also where a measure is of some sets alone.
    told = [by_data for point in points for by_data in point["figures"].values()]
    styles = dict(zip(dict.fromkeys(data for one in told for data in one), STYLES, strict=False))
    for name, axis in zip(TAKEN, axes.flat, strict=False):
        for number, hot in enumerate(temperatures):
            mine = [point for point in points if point["temperature"] == hot]
            sets = dict.fromkeys(key for point in mine for key in point["figures"].get(name, {}))
            for data in sets:
                along = [(p["guidance"], p["figures"][name][data][0]) for p in mine]
                axis.plot(
                    *zip(*along, strict=True),
                    styles.get(data, STYLES[-1]),
                    marker="o",
                    color=f"C{number}",
                    label=f"{hot:g}, {data}",
                )
        for bound, color in (
            (TARGETS[name].required, "tab:red"),
            (TARGETS[name].goal, "tab:green"),
        ):
            if bound is not None:
                axis.axhline(bound, color=color, linewidth=0.8)
        axis.set(title=fill(TARGETS[name].title, 36), xlabel="guidance")
        axis.title.set_fontsize(9)
    handles = axes.flat[1].get_legend_handles_labels()
    axes.flat[-1].axis("off")
    axes.flat[-1].legend(*handles, title="temperature, data", loc="center")
    return drawing
