"""Pictures of a run in the order of its steps: labelled frames, and an animation of them."""

import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from training.common.errors import RunError
from training.reporting.curves import even_indices
from training.reporting.image_grid import BACKGROUND, INK

FRAMES, SIDE, MOST_BYTES = 30, 640, 3_000_000
MILLISECONDS, LAST_MILLISECONDS = 250, 2000
QUALITY = 75
STRIP, FONT_SIZE = 26, 18


def frame(path: Path, text: str, side: int) -> Image.Image:
    """Read a picture, shrink it to at most `side` pixels a side, and write a text above it.

    Raises:
        RunError: it cannot be read.
    """
    try:
        picture = Image.open(path).convert("RGB")
    except OSError as error:
        raise RunError(f"{path} cannot be read as a picture") from error
    # Never enlarged: a pixel shown as it is made says more.
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    labelled = ImageOps.expand(picture, (0, STRIP, 0, 0), BACKGROUND)
    font = ImageFont.load_default(FONT_SIZE)
    ImageDraw.Draw(labelled).text((4, 2), text, fill=INK, font=font)
    return labelled


def animate(paths: Mapping[int, Path], name: str, most: int = FRAMES) -> tuple[bytes, list[int]]:
    """Make an animated WebP of pictures by step, in at most `MOST_BYTES` where two frames fit.

    Args:
        paths: step -> picture; at least one.
        name: what stands in every frame before the step.
        most: frames; evenly chosen, and chosen anew, half as many, where the file is too large.

    Returns:
        The file, and the steps that are in it.
    """
    steps = [sorted(paths)[i] for i in even_indices(len(paths), most)]
    first, *rest = (frame(paths[step], f"{name}, step {step:,}", SIDE) for step in steps)
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
    if len(buffer.getvalue()) > MOST_BYTES and len(steps) > 2:
        return animate(paths, name, len(steps) // 2)
    return buffer.getvalue(), steps
