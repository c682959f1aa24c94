"""The report of one run, or of several side by side: one HTML page that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.common.output_files import check_output, write_atomically, write_error
from training.reporting.curves import curves
from training.reporting.run_summary import RunSummary, read_run

TEMPLATE = "report.html"
# Parts of `run.json` that have their own sections.
SHOWN_ELSEWHERE = ("recipe", "data", "prepared")


def write_report(folders: Sequence[Path], out: Path) -> None:
    """Write the page: curves, grids, findings, results, recipe, environment and data.

    Args:
        folders: run directories, done or under way; at least one.
        out: the page; pictures and styles are inside it, nothing is fetched.

    Raises:
        RunError: no run in a folder, or the page cannot be written.
    """
    check_output(out)
    runs = label_runs([read_run(folder) for folder in folders])
    page = render(runs)
    try:
        write_atomically(out, page)
    except OSError as error:
        raise write_error(out, error) from error


def label_runs(runs: Sequence[RunSummary]) -> dict[str, RunSummary]:
    """Name runs by their folders: by the name alone where that tells them apart."""
    names = [run.folder.resolve().name for run in runs]
    alone = len(set(names)) == len(names)
    return {name if alone else str(r.folder): r for name, r in zip(names, runs, strict=True)}


def render(runs: Mapping[str, RunSummary]) -> str:
    """Return the page's HTML; whatever comes from a run's files is escaped."""
    environment = Environment(
        loader=PackageLoader("training.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": format_cell, "data_uri": image_uri}
    return environment.get_template(TEMPLATE).render(
        runs=runs,
        curves=group_by_prefix(
            {name: data_uri("image/svg+xml", svg.encode()) for name, svg in draw_curves(runs)}
        ),
        summary=align_columns({label: run.summary() for label, run in runs.items()}),
        recipe=align_columns({label: flatten(run.recipe) for label, run in runs.items()}),
        environment=align_columns(
            {label: environment_facts(run.record) for label, run in runs.items()}
        ),
        data=align_columns(
            {label: flatten(run.record.get("data", {})) for label, run in runs.items()}
        ),
    )


def draw_curves(runs: Mapping[str, RunSummary]) -> list[tuple[str, str]]:
    """Return every curve's name and SVG."""
    return list(curves({label: run.log for label, run in runs.items()}).items())


def group_by_prefix(pictures: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Group curves by what stands before the slash, as TensorBoard does."""
    groups: dict[str, dict[str, str]] = {}
    for name, picture in pictures.items():
        groups.setdefault(name.partition("/")[0], {})[name] = picture
    return groups


def align_columns(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn label -> key -> value into key -> values, one a label; `None` where there is none."""
    keys = dict.fromkeys(key for column in columns.values() for key in column)
    return {key: [column.get(key) for column in columns.values()] for key in keys}


def flatten(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Flatten nested tables to dotted keys."""
    result: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and value
        result |= flatten(value, f"{above}{key}.") if nested else {f"{above}{key}": value}
    return result


def environment_facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's record says of code and libraries."""
    return flatten({key: value for key, value in record.items() if key not in SHOWN_ELSEWHERE})


def format_cell(value: Any) -> str:
    """Write a value for a table: four digits, a mean with its spread or interval, or a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict) and {"mean", "spread"} <= value.keys():
        return f"{format_cell(value['mean'])} ± {format_cell(value['spread'])}"
    if isinstance(value, dict) and {"mean", "low", "high"} <= value.keys():
        low, high = format_cell(value["low"]), format_cell(value["high"])
        return f"{format_cell(value['mean'])} [{low}, {high}]"
    return str(value)


def image_uri(path: Path) -> str:
    """Return a PNG file as a data URI; nothing where there is no such file."""
    return data_uri("image/png", path.read_bytes()) if path.is_file() else ""


def data_uri(kind: str, content: bytes) -> str:
    """Return content of a media type as a data URI."""
    return f"data:{kind};base64,{b64encode(content).decode()}"
