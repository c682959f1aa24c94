"""A run's sample grids over training, with its noise fixed and fresh, from its folder alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from training.common.console import print_stderr
from training.common.errors import RunError
from training.common.output_files import write_atomically
from training.experiments.animation import FRAMES, MOST_BYTES, SIDE, animate, frame
from training.experiments.registry import Out, Run, experiment, leave
from training.reporting.curves import even_indices
from training.reporting.image_grid import BACKGROUND, GAP
from training.reporting.run_summary import SAMPLE
from training.runs.run_dir import RunDir

KINDS = {"fixed": "noise fixed", "fresh": "noise fresh"}
TILE = 420  # longest side of a grid on the sheet
Steps = Annotated[int, typer.Option("--steps", min=1, help="How many steps are on the sheet.")]


@experiment("progress")
def progress(run: Run, out: Out, steps: Steps = 5) -> None:
    """Show a run's samples over training: a contact sheet, and two animations beside it."""
    rundir = RunDir.open(run)
    grids = sample_grids(rundir.samples)
    common = sorted(set.intersection(*(set(paths) for paths in grids.values())))
    if not common:
        raise RunError(f"{rundir.samples}: no step has a fixed and a fresh sample grid")
    shown = [common[i] for i in even_indices(len(common), steps)]
    moving = {kind: animate(grids[kind], text) for kind, text in KINDS.items()}
    results = {
        "sheet": {"steps": shown, "rows": list(KINDS.values())},
        "animations": {kind: told(out, kind, *moving[kind]) for kind in KINDS},
        "bounds": {"frames": FRAMES, "side": SIDE, "bytes": MOST_BYTES},
    }
    leave(out, "progress", [rundir], results, sheet(grids, shown))
    for kind, (content, _) in moving.items():
        write_atomically(beside(out, kind), content)
        print_stderr(str(beside(out, kind)))


def sample_grids(samples: Path) -> dict[str, dict[int, Path]]:
    """Return a run's sample grids: kind -> step -> path."""
    found: dict[str, dict[int, Path]] = {kind: {} for kind in KINDS}
    for path in sorted(samples.glob("*.png")):
        match = SAMPLE.fullmatch(path.name)
        if match and match["name"] in found:
            found[match["name"]][int(match["step"])] = path
    return found


def sheet(grids: Mapping[str, Mapping[int, Path]], steps: Sequence[int]) -> Image.Image:
    """Lay grids out: steps from left to right, each kind a row."""
    rows = [
        [frame(grids[kind][step], f"step {step:,}, {text}", TILE) for step in steps]
        for kind, text in KINDS.items()
    ]
    wide = max(tile.width for row in rows for tile in row) + GAP
    high = max(tile.height for row in rows for tile in row) + GAP
    picture = Image.new("RGB", (wide * len(steps), high * len(rows)), BACKGROUND)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            picture.paste(tile, (x * wide, y * high))
    return picture


def beside(out: Path, kind: str) -> Path:
    """Return the name of an animation."""
    return out.with_name(f"{out.stem}-{kind}.webp")


def told(out: Path, kind: str, content: bytes, steps: Sequence[int]) -> dict[str, Any]:
    """Return what a result says of an animation."""
    return {"file": beside(out, kind).name, "bytes": len(content), "steps": list(steps)}
