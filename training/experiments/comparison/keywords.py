"""Which pictures are hard and which easy, by what their captions say."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from training.experiments.comparison.keyword_table import KEYWORDS, keywords_of
from training.metrics.confidence import bootstrap_interval

# The interval of fewer pictures says nothing.
FEWEST = 8
EVERYTHING = "(all pictures)"


def keyword_rows(captions: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """Find the pictures of each keyword, and of all, by all captions of each picture."""
    said = [keywords_of(texts) for texts in captions]
    found = {name: [row for row, words in enumerate(said) if name in words] for name in KEYWORDS}
    return {EVERYTHING: list(range(len(said)))} | found


def by_keyword(
    rows: Mapping[str, list[int]], figures: Mapping[str, Mapping[str, Tensor]], seed: int
) -> dict[str, dict[str, Any]]:
    """Return the mean of each figure over each keyword's pictures, of every run.

    Args:
        rows: keyword -> pictures; those with fewer than `FEWEST` are left out.
        figures: run -> figure -> `(N,)`, one a picture.
        seed: of the resamples.

    Returns:
        keyword -> count and, by run, figure -> mean and 95% interval; the easiest first, by the
        first figure of the first run, of which more is better.
    """
    told = {
        keyword: {
            "pictures": len(chosen),
            "runs": {
                run: {
                    name: asdict(bootstrap_interval(values[chosen], seed))
                    for name, values in of_run.items()
                }
                for run, of_run in figures.items()
            },
        }
        for keyword, chosen in rows.items()
        if len(chosen) >= FEWEST
    }
    run = next(iter(figures))
    first = next(iter(figures[run]))
    easiest = sorted(told, key=lambda keyword: -told[keyword]["runs"][run][first]["mean"])
    return {keyword: told[keyword] for keyword in easiest}


def keyword_drawing(told: Mapping[str, Mapping[str, Any]], figures: Mapping[str, str]) -> Figure:
    """Draw one panel a figure: keywords down, a point with its interval for every run.

    Args:
        told: what `by_keyword` returned.
        figures: their names and how to call them.
    """
    drawing = Figure(figsize=(5 * len(figures) + 1, 0.36 * len(told) + 1.2), layout="constrained")
    panels = drawing.subplots(1, len(figures), sharey=True, squeeze=False)[0]
    runs = [*next(iter(told.values()))["runs"]]
    places = range(len(told))
    for axes, (name, label) in zip(panels, figures.items(), strict=True):
        for number, run in enumerate(runs):
            spans = [of["runs"][run][name] for of in told.values()]
            middle = [one["mean"] for one in spans]
            ends = [
                [one["mean"] - one["low"] for one in spans],
                [one["high"] - one["mean"] for one in spans],
            ]
            aside = 0.18 * (number - (len(runs) - 1) / 2)
            heights = [place + aside for place in places]
            axes.errorbar(middle, heights, xerr=ends, fmt="o", markersize=4, label=run)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    texts = [f"{keyword} ({of['pictures']})" for keyword, of in told.items()]
    panels[0].set_yticks([*places], texts)
    panels[0].invert_yaxis()
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return drawing
