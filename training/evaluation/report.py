"""The report of `evaluate`: the measurements, and a table for each set of pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from captionfill.output_files import write_atomically
from models.geometry import hide, hole_mask, to_float, to_uint8
from training.common.image_grid import picture_grid, stack_grids, to_png
from training.common.output_files import write_error
from training.evaluation.benchmarks.context import EvalContext
from training.evaluation.benchmarks.measurement import Measurement
from training.evaluation.benchmarks.targets import TARGETS
from training.evaluation.methods import NO_CAPTION, TELEA, TRUE_CAPTION, WRONG_CAPTION
from training.evaluation.table import markdown_table, table_markdown

HEADINGS = ("measure", "data", "figure [95%]", "must reach", "", "reach for", "", "counted")
PASS_FAIL = {True: "met", False: "not met", None: "–"}
GRID_PICTURES = 24


@dataclass(frozen=True)
class EvaluationReport:
    """An evaluation.

    Attributes:
        tables: one for each set of pictures, see `build_table`.
        measurements: of the benchmarks; empty where they were not run.
    """

    tables: Sequence[dict[str, Any]]
    measurements: Sequence[Measurement]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values.

        For one set: that set's table with `measures` added. For several: `tables`, and `about`
        with the facts that they share.
        """
        measures = [one.to_dict() for one in self.measurements]
        found = {"measures": measures} if measures else {}
        if len(self.tables) == 1:
            return {**self.tables[0], **found}
        first, *others = (table["about"] for table in self.tables)
        common = {k: v for k, v in first.items() if all(o.get(k) == v for o in others)}
        return {"about": common, **found, "tables": self.tables}

    def to_markdown(self) -> str:
        """Return the measurements, and under them the table of each set."""
        if not self.measurements and len(self.tables) == 1:
            parts = ["# Evaluation", *table_markdown(self.tables[0], "##")]
        else:
            parts = ["# Evaluation", *measurements_markdown(self.measurements)]
            for table in self.tables:
                parts += [f"## {table['about']['data']}", *table_markdown(table, "###")]
        return "\n\n".join(parts) + "\n"

    def write(self, out_json: Path, grids: Sequence[Image.Image]) -> None:
        """Write JSON, Markdown and the grids.

        Raises:
            OutputError: they cannot be written, for example because the disk is full.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        try:
            write_atomically(out_json, text + "\n")
            write_atomically(out_json.with_suffix(".md"), self.to_markdown())
            write_atomically(out_json.with_suffix(".png"), to_png(stack_grids(grids)))
        except OSError as error:
            raise write_error(out_json, error) from error


def measurements_markdown(measurements: Sequence[Measurement]) -> list[str]:
    """Return the table of measurements, their details, and the definitions, as paragraphs."""
    if not measurements:
        return []
    ordered = sorted(measurements, key=lambda one: list(TARGETS).index(one.measure))
    targets = [TARGETS[measure] for measure in dict.fromkeys(one.measure for one in ordered)]
    return [
        "## Measures",
        markdown_table(HEADINGS, [measurement_row(one) for one in ordered]),
        "### What they are made of",
        "\n".join(filter(None, map(details_line, ordered))),
        "### What is measured",
        "\n".join(f"- **{target.title}**: {target.definition}." for target in targets),
    ]


def measurement_row(one: Measurement) -> list[str]:
    """Return the cells under `HEADINGS`."""
    target, (required_met, goal_met) = one.target, one.pass_fail
    required = [target.required_text(), PASS_FAIL[required_met]]
    goal = [target.bound_text(target.goal), PASS_FAIL[goal_met]]
    return [target.title, one.data, one.formatted(), *required, *goal, one.counted]


def details_line(one: Measurement) -> str:
    """Return a line with the details and the network; empty if there are none."""
    parts = [
        f"{name} {value if isinstance(value, str) else f'{value:#.4g}'}"
        for name, value in one.details.items()
    ]
    parts += [f"seen by {one.network}"] if one.network else []
    return f"- {one.target.title}, {one.data}: {'; '.join(parts)}." if parts else ""


def example_grid(context: EvalContext) -> Image.Image:
    """Draw the first pictures of a set, unpicked, as the methods fill them."""
    pictures = context.pictures
    columns = {
        "context": to_uint8(hide(to_float(pictures.pixels), hole_mask())),
        **{
            name: pictures.composites(context.fills(name))
            for name in (TRUE_CAPTION, NO_CAPTION, WRONG_CAPTION, TELEA)
        },
        "real": pictures.pixels,
    }
    labels = [
        f"{caption} [wrong: {pictures.captions[other]}]"
        for caption, other in zip(pictures.captions, pictures.mismatched.tolist(), strict=True)
    ]
    first = {name: column[:GRID_PICTURES] for name, column in columns.items()}
    return picture_grid(first, labels[:GRID_PICTURES])
