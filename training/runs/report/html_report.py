"""The report of one run, or of several side by side: one HTML page that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from captionfill.output_files import write_atomically
from training.common.output_files import check_output, write_error
from training.runs.report.curves import curves
from training.runs.report.run_summary import RunSummary, read_run

TEMPLATE = "report.html"
# Parts of `run.json` that have their own sections.
SHOWN_ELSEWHERE = ("recipe", "data", "prepared")


def write_report(folders: Sequence[Path], out: Path) -> None:
    """Write the page: curves, grids, findings, results, recipe, environment and data.

    Runs may be done or under way. Pictures and styles are inside the page; nothing is fetched.

    Raises:
        RunError: no run in a folder, or the page cannot be written.
    """
    check_output(out)
    page = render(label_runs([read_run(folder) for folder in folders]))
    try:
        write_atomically(out, page)
    except OSError as error:
        raise write_error(out, error) from error


def label_runs(runs: Sequence[RunSummary]) -> dict[str, RunSummary]:
    """Label runs by the names of their folders, or by the paths if names are equal."""
    names = [run.folder.resolve().name for run in runs]
    alone = len(set(names)) == len(names)
    return {name if alone else str(r.folder): r for name, r in zip(names, runs, strict=True)}


def render(runs: Mapping[str, RunSummary]) -> str:
    """Return the page's HTML; the content of a run's files is escaped."""
    environment = Environment(
        loader=PackageLoader("training.runs.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": format_cell, "data_uri": image_uri}
    records = [run.record for run in runs.values()]
    return environment.get_template(TEMPLATE).render(
        runs=runs,
        curves=group_by_prefix(curves({label: run.log for label, run in runs.items()})),
        summary=align_columns([run.summary() for run in runs.values()]),
        recipe=align_columns([flatten(run.recipe) for run in runs.values()]),
        environment=align_columns([environment_facts(record) for record in records]),
        data=align_columns([flatten(record.get("data", {})) for record in records]),
    )


def group_by_prefix(pictures: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Group SVG texts by the part of the name before the slash, as data URIs."""
    groups: dict[str, dict[str, str]] = {}
    for name, svg in pictures.items():
        group = groups.setdefault(name.partition("/")[0], {})
        group[name] = data_uri("image/svg+xml", svg.encode())
    return groups


def align_columns(columns: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the columns' values by key; `None` where a column has none."""
    keys = dict.fromkeys(key for column in columns for key in column)
    return {key: [column.get(key) for column in columns] for key in keys}


def flatten(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Flatten nested tables to dotted keys."""
    result: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and value
        result |= flatten(value, f"{above}{key}.") if nested else {f"{above}{key}": value}
    return result


def environment_facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the code revision, library versions and the like of a run's record."""
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
    """Return a PNG file as a data URI; an empty text if there is no such file."""
    return data_uri("image/png", path.read_bytes()) if path.is_file() else ""


def data_uri(kind: str, content: bytes) -> str:
    """Return content as a data URI."""
    return f"data:{kind};base64,{b64encode(content).decode()}"
