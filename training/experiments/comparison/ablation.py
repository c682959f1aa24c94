"""Ablations: runs that each change one piece of a base, and what that piece was worth."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.common.console import print_stderr
from training.common.errors import RunError
from training.evaluation.dataset import select_pictures
from training.evaluation.table import markdown_table
from training.experiments.comparison.config_diff import Change, recipe_changes
from training.experiments.comparison.filling import data_folder, load_filling, load_shared
from training.experiments.comparison.run_state import end_of, equal_steps, steps_there
from training.experiments.comparison.side_by_side import (
    Draws,
    Rows,
    by_name,
    figures_table,
    fills_grid,
    kid_cell,
    measure_all,
    side_by_side,
)
from training.experiments.output import beside, leave_table, span
from training.experiments.registry import (
    Count,
    Data,
    Out,
    Run,
    Seed,
    Split,
    draw,
    experiment,
    leave,
)
from training.metrics.definitions import COMPARISON_DEFINITIONS
from training.metrics.mobilenet import require_extractor
from training.runs.load_run import NEWEST, LoadedRun
from training.runs.run_dir import RunDir

Others = Annotated[list[Path], typer.Argument(help="Runs that each change something of the base.")]

HEADINGS = (
    "run",
    "changed",
    "steps",
    "hole-PSNR, dB ↑",
    "to the base",
    "KID ×10³ ↓",
    "seam ratio",
    "square ratio",
    "contrast",
    "draws differ",
    "M",
    "k",
    "diverged",
)
# What is drawn: figure -> title. Those that are of a log's end have no interval.
DRAWN = {
    "hole_psnr": "hole-PSNR, dB ↑",
    "to_base": "hole-PSNR to the base, paired, dB ↑",
    "kid": "KID ×10³ ↓",
    "seam_ratio": "seam ratio (1 = real)",
    "square_ratio": "square ratio (1 = real)",
    "contrast": "contrast (1 = real)",
    "draws_differ_features": "draws differ, features ↑",
    "M": "M_global at the end ↓",
    "k": "k at the end",
}


@experiment("ablation")
def ablation(
    base: Run,
    runs: Others,
    out: Out,
    data: Data = None,
    split: Split = None,
    count: Count = 500,
    seed: Seed = 0,
    draws: Draws = 3,
    rows: Rows = 10,
) -> None:
    """Tell what each run's change of the BASE run's recipe was worth, at equal steps if it can.

    Beside OUT.json: OUT.md, OUT.png (bars) and OUT-fills.png (the first pictures, a column a run).
    """
    folders = [base, *runs]
    changes = changes_of([RunDir.open(folder) for folder in folders])
    steps = equal_steps([steps_there(folder) for folder in folders])
    loaded = [load_step(folder, step, data) for folder, step in zip(folders, steps, strict=True)]
    named = by_name(loaded)
    prepared = load_shared(loaded, data_folder(loaded, data), split)
    pictures = select_pictures(prepared, count, seed)
    measured = measure_all(named, pictures, require_extractor(), draws, seed)
    told = side_by_side(measured, seed)
    ends = {run.name: end_of(run.run.folder, run.step) for run in loaded}
    results = {
        "changes": {
            name: {key: {"base": old, "here": new} for key, (old, new) in of_run.items()}
            for name, of_run in zip(named, changes, strict=True)
        },
        "equal_steps": len(set(steps)) == 1,
        "ends": ends,
        **told,
        "data": f"{prepared.manifest.source}, {prepared.digest}",
        "pictures": f"{len(pictures)}, evenly spaced through {len(prepared)}",
        "seed": seed,
        "draws": draws,
        "definitions": COMPARISON_DEFINITIONS,
    }
    leave(out, "ablation", loaded, results, bars(told, ends))
    fills = {name: one.fills for name, one in measured.items()}
    draw(fills_grid(pictures, fills, range(rows), pictures.captions), beside(out, "fills"))
    table = ablation_table(told, ends, dict(zip(named, changes, strict=True)))
    leave_table(out, f"{table}\n\n{figures_table(told)}")


def load_step(folder: Path, step: int, data: Path | None = None) -> LoadedRun:
    """Load a run at a step: the newest checkpoint where that is it, else the snapshot."""
    newest = load_filling(folder, NEWEST, data)
    return newest if newest.step == step else load_filling(folder, str(step), data)


def changes_of(runs: Sequence[RunDir]) -> list[dict[str, Change]]:
    """Say and return what each run's recipe changes of the first run's.

    Raises:
        RunError: one changes nothing, or was trained on other data.
    """
    base, *others = runs
    found: list[dict[str, Change]] = [{}]
    for run in others:
        name = run.folder.resolve().name
        if sorted(run.data.values()) != sorted(base.data.values()):
            raise RunError(f"{name} was trained on other data than {base.folder.resolve().name}")
        found.append(recipe_changes(base.recipe, run.recipe))
        if not found[-1]:
            raise RunError(f"{name}: its recipe changes nothing of the base's")
        print_stderr(f"{name}: {in_words(found[-1])}")
    return found


def in_words(changes: Mapping[str, Change]) -> str:
    """Return changes in a line: `generator.settings.output: clip → tanh`."""
    return "; ".join(f"{key}: {old} → {new}" for key, (old, new) in changes.items()) or "–"


def ablation_table(
    told: Mapping[str, Any],
    ends: Mapping[str, Mapping[str, Any]],
    changes: Mapping[str, Mapping[str, Change]],
) -> str:
    """Return what the changes did as a Markdown table, one row a run."""
    rows = []
    for name, of in told["figures"].items():
        end, against = ends[name], told["differences"].get(name)
        rows.append(
            [
                name,
                in_words(changes[name]),
                str(end["step"]),
                span(of["hole_psnr"]),
                span(against["hole_psnr"], 3) if against else "–",
                kid_cell(of["kid"]),
                *(f"{of[f]['mean']:.3f}" for f in ("seam_ratio", "square_ratio", "contrast")),
                f"{of['draws_differ_features']['mean']:.3f}",
                *("–" if end[f] is None else f"{end[f]:.4f}" for f in ("M", "k")),
                end["why"] or "no",
            ]
        )
    return markdown_table(HEADINGS, rows)


def bars(told: Mapping[str, Any], ends: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw a panel a figure with a bar for every run; what no run has is left out."""
    runs = [*told["figures"]]
    shown = [
        name for name in DRAWN if name not in ("M", "k") or any(end[name] for end in ends.values())
    ]
    across, down = 3, -(-len(shown) // 3)
    drawing = Figure(figsize=(12, (0.3 * len(runs) + 0.9) * down), layout="constrained")
    panels = drawing.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels[: len(shown)], shown, strict=True):
        draw_bars(axes, [bar_of(name, run, told, ends[run]) for run in runs])
        axes.set_title(DRAWN[name], fontsize=10)
        axes.set_yticks(range(len(runs)), runs)
        if "1 = real" in DRAWN[name]:
            axes.axvline(1, color="0.3", linestyle="--", linewidth=1)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    drawing.axes[0].invert_yaxis()
    return drawing


def bar_of(
    name: str, run: str, told: Mapping[str, Any], end: Mapping[str, Any]
) -> tuple[float, float, float]:
    """Return a bar's length and the ends of what is drawn around its tip."""
    if name in end:
        value = end[name] or 0.0
        return value, value, value
    if name == "kid":
        mean, spread = (1000 * told["figures"][run]["kid"][part] for part in ("mean", "spread"))
        return mean, mean - spread, mean + spread
    if name == "to_base":
        span_of = told["differences"][run]["hole_psnr"] if run in told["differences"] else {}
    else:
        span_of = told["figures"][run][name]
    mean, low, high = (span_of.get(part, 0.0) for part in ("mean", "low", "high"))
    return mean, low, high


def draw_bars(axes: Axes, spans: Sequence[tuple[float, float, float]]) -> None:
    """Draw one bar a run, the base's, which is the first, in another colour."""
    middle = [mean for mean, _, _ in spans]
    around = [
        [mean - low for mean, low, _ in spans],
        [high - mean for mean, _, high in spans],
    ]
    colours = ["C7", *["C0"] * (len(spans) - 1)]
    axes.barh(range(len(spans)), middle, xerr=around, color=colours, ecolor="0.2", capsize=2)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
