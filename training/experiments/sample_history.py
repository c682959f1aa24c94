"""The sample grids of a run over its steps: a contact sheet, and an animation of each kind."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageDraw, ImageFont, ImageOps

from captionfill.output_files import write_atomically
from training.common.console import print_stderr
from training.common.errors import RunError
from training.common.image_grid import BACKGROUND, GAP, INK
from training.experiments.output import picture_path, write_result
from training.experiments.registry import Out, Run, experiment
from training.runs.report.curves import even_indices
from training.runs.report.run_summary import SAMPLE
from training.runs.run_dir import RunDir

KINDS = {"fixed": "noise fixed", "fresh": "noise fresh"}
TILE = 420  # longest side of a grid on the sheet
FRAMES, SIDE, MAX_BYTES = 30, 640, 3_000_000  # of an animation
MILLISECONDS, LAST_MILLISECONDS = 250, 2000
QUALITY = 75
STRIP, FONT_SIZE = 26, 18
Steps = Annotated[int, typer.Option("--steps", min=1, help="How many steps are on the sheet.")]


@experiment("progress")
def progress(run: Run, out: Out, steps: Steps = 5) -> None:
    """Show a run's samples over training: a contact sheet, and two animations beside it."""
    run_dir = RunDir.open(run)
    grids = sample_grids(run_dir.samples)
    common = sorted(set.intersection(*(set(paths) for paths in grids.values())))
    if not common:
        raise RunError(f"{run_dir.samples}: no step has a fixed and a fresh sample grid")
    shown = [common[i] for i in even_indices(len(common), steps)]
    animations = {kind: animate(grids[kind], text) for kind, text in KINDS.items()}
    paths = {kind: picture_path(out, kind, ".webp") for kind in KINDS}
    results = {
        "sheet": {"steps": shown, "rows": list(KINDS.values())},
        "animations": {
            kind: {"file": paths[kind].name, "bytes": len(content), "steps": steps_in}
            for kind, (content, steps_in) in animations.items()
        },
        "bounds": {"frames": FRAMES, "side": SIDE, "bytes": MAX_BYTES},
    }
    write_result(out, "progress", [run_dir], results, contact_sheet(grids, shown))
    for kind, (content, _) in animations.items():
        write_atomically(paths[kind], content)
        print_stderr(str(paths[kind]))


def sample_grids(samples: Path) -> dict[str, dict[int, Path]]:
    """Return a run's sample grids: kind -> step -> path."""
    found: dict[str, dict[int, Path]] = {kind: {} for kind in KINDS}
    for path in sorted(samples.glob("*.png")):
        match = SAMPLE.fullmatch(path.name)
        if match and match["name"] in found:
            found[match["name"]][int(match["step"])] = path
    return found


def contact_sheet(grids: Mapping[str, Mapping[int, Path]], steps: Sequence[int]) -> Image.Image:
    """Return one image of all grids: steps from left to right, each kind a row."""
    rows = [
        [labelled_frame(grids[kind][step], f"step {step:,}, {text}", TILE) for step in steps]
        for kind, text in KINDS.items()
    ]
    wide = max(tile.width for row in rows for tile in row) + GAP
    high = max(tile.height for row in rows for tile in row) + GAP
    sheet = Image.new("RGB", (wide * len(steps), high * len(rows)), BACKGROUND)
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            sheet.paste(tile, (x * wide, y * high))
    return sheet


def labelled_frame(path: Path, text: str, side: int) -> Image.Image:
    """Read a picture, shrink it to at most `side` pixels a side, and write a text above it.

    Raises:
        RunError: it cannot be read.
    """
    try:
        picture = Image.open(path).convert("RGB")
    except OSError as error:
        raise RunError(f"{path} cannot be read as a picture") from error
    # Never enlarged, so that each pixel stays visible as it is.
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    labelled = ImageOps.expand(picture, (0, STRIP, 0, 0), BACKGROUND)
    font = ImageFont.load_default(FONT_SIZE)
    ImageDraw.Draw(labelled).text((4, 2), text, fill=INK, font=font)
    return labelled


def animate(paths: Mapping[int, Path], name: str, most: int = FRAMES) -> tuple[bytes, list[int]]:
    """Make an animated WebP of pictures by step, of at most `MAX_BYTES` unless it has two frames.

    At most `most` frames are evenly spaced; they are halved until the file is small enough.

    Returns:
        The file, and the steps that are in it.
    """
    steps = [sorted(paths)[i] for i in even_indices(len(paths), most)]
    first, *rest = (labelled_frame(paths[step], f"{name}, step {step:,}", SIDE) for step in steps)
    buffer = io.BytesIO()
    first.save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=rest,
        duration=[MILLISECONDS] * len(rest) + [LAST_MILLISECONDS],
        loop=0,
        quality=QUALITY,
    )
    if len(buffer.getvalue()) > MAX_BYTES and len(steps) > 2:
        return animate(paths, name, len(steps) // 2)
    return buffer.getvalue(), steps
