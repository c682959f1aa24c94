"""A generator's inputs besides noise, and the part of a picture that it generates."""

from pathlib import Path

import torch
from torch import Tensor

from models.geometry import centre
from training.common.errors import RunError
from training.data.batches import Batch, first_captions, plain_batch
from training.runs.generate import generate
from training.runs.load_run import LoadedRun

DISPLAY_SIZE = 128  # pixels a side, to which small pictures are enlarged


def held_out_contexts(
    run: LoadedRun, count: int, data: Path | None, split: str | None, seed: int
) -> tuple[Batch, list[str]]:
    """Draw `count` held-out contexts with their captions' texts.

    Both are blank for an unconditional run.

    Raises:
        RunError: there are fewer pictures.
        PreparedDataError: the data are not there.
    """
    picture = run.recipe.picture
    if run.unconditional:
        blank = torch.zeros(count, 3, picture.size, picture.size)
        return Batch(blank, picture.mask(count), torch.zeros(count, 1)), [""] * count
    pictures = run.held_out(data, split)
    if len(pictures) < count:
        raise RunError(f"{count} pictures are asked for, {len(pictures)} are there")
    rows = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed))[:count]
    return plain_batch(pictures, rows, picture), first_captions(pictures, rows)


def generate_rows(run: LoadedRun, batch: Batch, noise: Tensor) -> Tensor:
    """Generate T pictures of each of N contexts.

    Noise `(N, T, noise_dim)` gives uint8 `(N, T, 3, S, S)`.
    """
    repeated = Batch(*(field.repeat_interleave(noise.shape[1], dim=0) for field in batch))
    images = generate(run.generator, repeated, noise.flatten(0, 1))
    return torch.unflatten(images, 0, noise.shape[:2])


def generated_part(run: LoadedRun, pictures: Tensor) -> Tensor:
    """Return the generated part of pictures `(…, 3, S, S)`: the hole, or the whole picture."""
    if run.unconditional:
        return pictures
    return torch.unflatten(centre(pictures.flatten(0, -4)), 0, pictures.shape[:-3])


def noise_kind(run: LoadedRun) -> str:
    """Return the kind of noise a run's generator was trained with.

    Raises:
        RunError: it takes none.
    """
    settings = run.generator.settings
    if not settings.noise_dim:  # type: ignore[union-attr]
        raise RunError(f"{run.name}: the generator takes no noise")
    return str(getattr(settings, "noise", "normal"))


def display_scale(run: LoadedRun) -> int:
    """Return the factor by which to enlarge a run's pictures for display."""
    return max(1, DISPLAY_SIZE // run.recipe.picture.size)
