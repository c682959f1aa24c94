"""The figure of vector arithmetic: three groups, their means, and the result with its jitter."""

import torch
from PIL import Image
from torch import Tensor

from training.experiments.latents.contexts import display_scale
from training.experiments.latents.latent_sums import TERMS, Sums
from training.reporting.image_grid import picture_grid, stack_grids
from training.runs.load_run import LoadedRun

SHOWN = 3  # rounds
WHITE = 255


def draw_arithmetic(run: LoadedRun, sums: Sums) -> Image.Image:
    """Draw the first rounds, each four rows: three samples and what the mean latent makes."""
    scale = display_scale(run)
    return stack_grids(
        [
            picture_grid(columns(sums, row), labels(row), scale)
            for row in range(min(SHOWN, len(sums.means)))
        ]
    )


def columns(sums: Sums, row: int) -> dict[str, Tensor]:
    """Return a round's columns: the groups, the 3×3 of the result, and the sum in pixels."""
    blank = torch.full_like(sums.pixels[row], WHITE)
    laid = {
        f"{sign} {term.name}": torch.cat([samples, mean[None]])
        for sign, term, samples, mean in zip(
            "+-+", TERMS, sums.groups[row], sums.means[row], strict=True
        )
    }
    square = torch.unflatten(sums.results[row], 0, (3, 3))
    for place, heading in enumerate(["= jittered", "result in the middle", "jittered "]):
        laid[heading] = torch.cat([square[:, place], blank[None]])
    laid["in pixels"] = torch.stack([blank, sums.pixels[row], blank, blank])
    return laid


def labels(row: int) -> list[str]:
    """Return the texts of a round's rows."""
    return [f"round {row + 1}: three of each", "", "", "made of their mean latent"]
